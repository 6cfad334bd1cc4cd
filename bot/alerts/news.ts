import { type Group, hash, type KeptAlert, UNLISTED } from './group.ts';
import type { Alert, Notice } from './notice.ts';

const MAX_ALERTS = 400;
const MAX_COUNTED = 100;
/** News of a beginning may be overtaken by news of its end by this much, ms. */
const OVERTAKEN_MS = 60_000;
/** No alert lasts longer, ms. */
const LONGEST_MS = 10 * 365 * 24 * 3600 * 1000;

const noticeId = (notice: Notice): string => hash(JSON.stringify(notice));

/** Whether news of an alert is older than what is known of it: by when it began, then by when the news came. */
const isStale = (known: KeptAlert | undefined, news: KeptAlert): boolean => {
  if (known === undefined) return false;
  const soon = news.at - known.at < OVERTAKEN_MS;
  if (known.startsAt !== null && news.startsAt !== null && news.startsAt !== known.startsAt) {
    return news.startsAt < known.startsAt && (news.status === 'resolved' || soon);
  }
  if (news.at < known.at) return true;
  // The beginning of what is known to be over, which came later.
  return known.status === 'resolved' && news.status === 'firing' && known.startsAt !== null && soon;
};

/** A time that has not come yet is a clock that is wrong; one of years ago is none (Alertmanager's `0001-01-01` is such). */
const plausible = (told: number | null, at: number): number | null =>
  told === null || Number.isNaN(told) || told < at - LONGEST_MS ? null : Math.round(Math.min(told, at));

const keptOf = (alert: Alert, at: number): KeptAlert => ({
  id: hash(alert.fingerprint),
  status: alert.status,
  startsAt: plausible(alert.startsAt, at),
  endsAt: plausible(alert.endsAt, at),
  at,
});

const newsIn = (notice: Notice): KeptAlert[] => {
  const listed = notice.alerts.map((alert) => keptOf(alert, notice.at));
  if (listed.length > 0 && notice.more === 0) return listed;
  const { status, at } = notice;
  return [...listed, { id: UNLISTED, status, startsAt: null, endsAt: null, at }];
};

/** Kept within bounds: what is over longest goes first. */
const bounded = (alerts: KeptAlert[]): KeptAlert[] =>
  alerts.length <= MAX_ALERTS
    ? alerts
    : [...alerts]
        .sort((a, b) => Number(b.status === 'firing') - Number(a.status === 'firing') || b.at - a.at)
        .slice(0, MAX_ALERTS);

const merged = (known: readonly KeptAlert[], notice: Notice): { alerts: KeptAlert[]; fresh: number } => {
  const alerts = new Map(known.map((alert) => [alert.id, alert]));
  let fresh = 0;
  for (const news of newsIn(notice)) {
    if (isStale(alerts.get(news.id), news)) continue;
    alerts.set(news.id, news);
    fresh += 1;
  }
  if (notice.status === 'resolved' && fresh > 0) {
    // Nothing fires any more, also nothing that this notice did not list.
    for (const [id, alert] of alerts) {
      if (alert.status === 'firing' && alert.at <= notice.at)
        alerts.set(id, { ...alert, status: 'resolved', at: notice.at });
    }
  }
  return { alerts: bounded([...alerts.values()]), fresh };
};

const firingSince = (alerts: readonly KeptAlert[], otherwise: number): number => {
  const starts = alerts.flatMap(({ status, startsAt }) => (status === 'firing' && startsAt !== null ? [startsAt] : []));
  return starts.length === 0 ? otherwise : Math.min(...starts);
};

const endOf = (alerts: readonly KeptAlert[], since: number, at: number): number => {
  const ends = alerts.flatMap(({ endsAt }) => (endsAt === null || endsAt > at || endsAt < since ? [] : [endsAt]));
  return Math.max(since, ends.length === 0 ? at : Math.max(...ends));
};

/**
 * A group after a notice. The order in which notices come does not matter: the beginnings of alerts decide what is newer.
 * A notice that was counted before changes nothing. Pure.
 */
export const withNotice = (group: Group, notice: Notice): Group => {
  const id = noticeId(notice);
  if (group.counted.includes(id)) return group;
  const { alerts, fresh } = merged(group.alerts, notice);
  const firing = alerts.some(({ status }) => status === 'firing');
  const newest = notice.at >= group.newestAt;
  const next: Group = {
    ...group,
    ...(newest
      ? { severity: notice.severity, title: notice.title, labels: notice.labels, url: notice.url, more: notice.more }
      : {}),
    newestAt: Math.max(group.newestAt, notice.at),
    told: group.told + 1,
    counted: [...group.counted, id].slice(-MAX_COUNTED),
    alerts,
    firing,
  };
  if (firing && (!group.firing || group.episodes === 0)) {
    return {
      ...next,
      episodes: group.episodes + 1,
      since: firingSince(alerts, notice.at),
      resolvedAt: null,
    };
  }
  // It fired after all, before its end that came first.
  if (!firing && notice.status === 'firing' && group.episodes === 0 && fresh === 0) return { ...next, episodes: 1 };
  if (!firing && (group.firing || group.told === 0)) {
    const since = group.told === 0 ? startOf(alerts, notice.at) : group.since;
    return { ...next, since, resolvedAt: endOf(alerts, since, notice.at) };
  }
  return firing ? { ...next, since: Math.min(group.since, firingSince(alerts, group.since)) } : next;
};

const startOf = (alerts: readonly KeptAlert[], otherwise: number): number => {
  const starts = alerts.flatMap(({ startsAt }) => (startsAt === null ? [] : [startsAt]));
  return starts.length === 0 ? otherwise : Math.min(...starts);
};
