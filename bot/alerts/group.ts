import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Selector } from '../../playbooks/model/index.ts';
import { type Alert, type Notice, Severity } from './notice.ts';

/** How far a look that a group has asked for is. */
export const GroupLook = z.object({
  /** The request's id. */
  id: z.string(),
  host: z.string(),
  selector: Selector,
  choose: z.enum(['likely', 'top:cpu', 'top:rss', 'top:fds', 'list']),
  playbook: z.string(),
  at: z.number(),
  /** `asked`: it waits for room or for its process to be found. `listed`: a person has to choose. `left`: it was not made. */
  state: z.enum(['asked', 'running', 'done', 'failed', 'listed', 'left']),
  pid: z.number().optional(),
  /** What came out, or why nothing did: one line. */
  said: z.string().optional(),
  /** What was found, when something was. */
  cause: z.string().optional(),
});
export type GroupLook = z.infer<typeof GroupLook>;

/** One alert of a group, as it is kept. Its text is in the thread's small print and nowhere else. */
const KeptAlert = z.object({
  id: z.string(),
  status: z.enum(['firing', 'resolved']),
  startsAt: z.number().nullable(),
  endsAt: z.number().nullable(),
  /** When the newest news of it came. */
  at: z.number(),
});
type KeptAlert = z.infer<typeof KeptAlert>;

/** All that is known of an alert group, kept in the queue's notes: no bot remembers anything of it. Times in ms since 1970. */
export const Group = z.object({
  id: z.string(),
  source: z.string(),
  severity: Severity,
  title: z.string(),
  labels: z.record(z.string(), z.string()),
  url: z.string().nullable(),
  channel: z.string(),
  /** The name of the route that took it; null in the default channel. */
  route: z.string().nullable(),
  mention: z.array(z.string()),
  /** When the first news of it came. */
  firstAt: z.number(),
  newestAt: z.number(),
  /** How many notices came. */
  told: z.number(),
  /** The last ones that were counted, so that none counts twice. */
  counted: z.array(z.string()),
  alerts: z.array(KeptAlert),
  /** Alerts that a notice had and did not list. */
  more: z.number(),
  firing: z.boolean(),
  /** How often it began to fire; 0 when only its end has been heard of. */
  episodes: z.number(),
  /** The beginning and, when it is over, the end of the newest episode. */
  since: z.number(),
  resolvedAt: z.number().nullable(),
  /** The id of the storm in whose thread it is, instead of one of its own. */
  storm: z.string().nullable(),
  threadTs: z.string().nullable(),
  /** Posting has begun: the message may be there already. */
  posting: z.boolean(),
  /** The newest episode that the thread has been told of. */
  saidEpisode: z.number(),
  /** Number of the show that is set and has not begun; null when none is. */
  showing: z.number().nullable(),
  shows: z.number(),
  /** What the first message shows, as a hash. */
  shown: z.string(),
  /** Why nothing is looked at; null when something is or was. */
  noLook: z.string().nullable(),
  /** The newest five. */
  looks: z.array(GroupLook),
  lookCount: z.number(),
  /** The alerts that fired when the newest look was asked for. */
  looked: z.array(z.string()),
  lookedEpisode: z.number(),
  /** Groups in which the same cause was found in the same process. */
  same: z.array(
    z.object({ group: z.string(), title: z.string(), channel: z.string(), ts: z.string(), cause: z.string() }),
  ),
});
export type Group = z.infer<typeof Group>;

const MAX_ALERTS = 400;
const MAX_COUNTED = 100;
/** News of a beginning may be overtaken by news of its end by this much, ms. */
const OVERTAKEN_MS = 60_000;
/** No alert lasts longer, ms. */
const LONGEST_MS = 10 * 365 * 24 * 3600 * 1000;
/** Stands for alerts that a notice does not list. */
const UNLISTED = 'unlisted';

const hash = (...parts: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);

/** The id under which a group is kept, posted and locked. */
export const groupIdOf = ({ source, group }: Pick<Notice, 'source' | 'group'>): string =>
  `alert-${hash(source, group)}`;

const noticeId = (notice: Notice): string => hash(JSON.stringify(notice));

/** A group of which nothing is known yet. */
export const newGroup = (notice: Notice, to: { channel: string; route: string | null; mention: string[] }): Group => ({
  id: groupIdOf(notice),
  source: notice.source,
  severity: notice.severity,
  title: notice.title,
  labels: {},
  url: null,
  ...to,
  firstAt: notice.at,
  newestAt: 0,
  told: 0,
  counted: [],
  alerts: [],
  more: 0,
  firing: false,
  episodes: 0,
  since: notice.at,
  resolvedAt: null,
  storm: null,
  threadTs: null,
  posting: false,
  saidEpisode: 0,
  showing: null,
  shows: 0,
  shown: '',
  noLook: null,
  looks: [],
  lookCount: 0,
  looked: [],
  lookedEpisode: 0,
  same: [],
});

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

/** The alerts that fire. */
export const firingIn = ({ alerts }: Pick<Group, 'alerts'>): string[] =>
  alerts.flatMap(({ id, status }) => (status === 'firing' ? [id] : []));

/** How many alerts a group has and how many of them fire; of those that no notice listed as many as it said. Pure. */
export const countsOf = ({ alerts, more }: Pick<Group, 'alerts' | 'more'>): { firing: number; all: number } => {
  const number = (some: readonly KeptAlert[]) =>
    some.reduce((sum, { id }) => sum + (id === UNLISTED ? Math.max(1, more) : 1), 0);
  const listed = alerts.filter(({ id, status }) => id !== UNLISTED || status === 'firing');
  return { firing: number(alerts.filter(({ status }) => status === 'firing')), all: number(listed) };
};

/** The id under which an alert of a notice is kept. */
export const alertIdOf = (alert: Alert): string => hash(alert.fingerprint);

/** The look that counts. */
export const newestLook = ({ looks }: Pick<Group, 'looks'>): GroupLook | undefined => looks.at(-1);

/** Puts a look's newest state into a group; unchanged when the group no longer knows the look. Pure. */
export const withLook = (group: Group, id: string, change: Partial<GroupLook>): Group => ({
  ...group,
  looks: group.looks.map((look) => (look.id === id ? { ...look, ...change } : look)),
});

/**
 * Whether a firing group is to be looked at now: the first time it fires, and after the cool-down when it fires again or an alert
 * is new in it. Pure.
 */
export const wantsLook = (group: Group, now: number, cooldownMs: number): boolean => {
  if (!group.firing) return false;
  const last = newestLook(group);
  if (last === undefined) return true;
  if (last.state === 'asked' || last.state === 'running' || now - last.at < cooldownMs) return false;
  const looked = new Set(group.looked);
  return group.episodes > group.lookedEpisode || firingIn(group).some((id) => id !== UNLISTED && !looked.has(id));
};
