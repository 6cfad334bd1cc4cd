import type { BotContext } from '../context.ts';
import { requestIdOf } from '../request-id.ts';
import { tally } from './figures.ts';
import { alertIdOf, firingIn, type Group, groupIdOf, newestLook, newGroup, wantsLook } from './group.ts';
import { changeGroup, setShow, toBeShown } from './group-notes.ts';
import { withNotice } from './news.ts';
import type { Alert, Notice } from './notice.ts';
import { askRoom } from './room.ts';
import { labelsOf, type Routed, routed, targetOf } from './route.ts';
import { changeMember } from './storm.ts';
import { stormFor } from './storm-state.ts';
import { together } from './together.ts';

const MINUTE_MS = 60_000;
const MAX_LOOKS = 5;

type Destined = Exclude<Routed, { kind: 'nowhere' }>;

/** The alert that a look is about: one that fires and has not been looked at, else any that fires. */
const alertToLookAt = (group: Group, notice: Notice): Alert | undefined => {
  const firing = notice.alerts.filter(({ status }) => status === 'firing');
  return firing.find((alert) => !group.looked.includes(alertIdOf(alert))) ?? firing[0];
};

/** A group with a look asked for, when it is to be looked at now. */
const withWantedLook = (group: Group, notice: Notice, to: Destined, bot: BotContext): Group => {
  const { alerts } = bot;
  const cooldown = (to.kind === 'route' ? to.route.cooldownMinutes : undefined) ?? alerts.limits.cooldownMinutes;
  const now = bot.queue.now();
  if (notice.status !== 'firing' || !wantsLook(group, now, cooldown * MINUTE_MS)) return group;
  if (to.kind === 'default') return { ...group, noLook: 'no route takes this alert' };
  const labels = labelsOf(notice, alertToLookAt(group, notice));
  const target = targetOf(to.route, { labels, title: notice.title }, alerts, bot);
  if (target.kind === 'no-look') return { ...group, noLook: target.why };
  const { kind: _kind, ...what } = target;
  const lookCount = group.lookCount + 1;
  const look = {
    ...what,
    id: requestIdOf('alert', group.id, String(group.firstAt), String(lookCount)),
    at: now,
    state: 'asked',
  } as const;
  return {
    ...group,
    noLook: null,
    looks: [...group.looks, look].slice(-MAX_LOOKS),
    lookCount,
    looked: firingIn(group),
    lookedEpisode: group.episodes,
  };
};

/** What follows from a group as it is kept, all of it safe to repeat: its thread is brought up to date, its look gets room. */
const follow = async (bot: BotContext, group: Group): Promise<void> => {
  await changeMember(bot, group);
  await setShow(bot, group, group.threadTs === null);
  const look = newestLook(group);
  if (look?.state !== 'asked') return;
  await askRoom(bot, { id: look.id, group: group.id, host: look.host, severity: group.severity, at: look.at });
};

const keep = async (bot: BotContext, notices: readonly Notice[], to: Destined): Promise<void> => {
  const [first] = notices;
  if (first === undefined) return;
  const { channel } = to;
  const route = to.kind === 'route' ? to.route : null;
  let begins = false;
  let asked = false;
  const after = await changeGroup(bot, groupIdOf(first), async (kept) => {
    const before =
      kept ?? newGroup(first, { channel, route: route?.name ?? null, mention: [...(route?.mention ?? [])] });
    const told = notices.reduce((group, notice) => withNotice(group, notice), before);
    if (told === before) return kept;
    // In the order in which they came; what the newest firing one is about is looked at.
    const newest = notices.findLast(({ status }) => status === 'firing') ?? first;
    const looked = withWantedLook(told, newest, to, bot);
    asked = looked.lookCount > before.lookCount;
    begins = before.episodes === 0 && looked.episodes > 0;
    if (looked.episodes === 0) return looked;
    return toBeShown(begins ? { ...looked, storm: await stormFor(bot, channel) } : looked);
  });
  if (after === null) return;
  if (begins && after.storm !== null) await tally(bot, 'in-storms');
  if (asked) await tally(bot, 'looks-asked');
  if (after.episodes === 0) {
    await tally(bot, 'ended-unseen');
    bot.log.info({ group: after.id, title: after.title }, 'end of an alert whose beginning has not been told');
    return;
  }
  await follow(bot, after);
};

type Item = { readonly bot: BotContext; readonly notice: Notice; readonly to: Destined };

const arrivals = new WeakMap<BotContext['queue'], (key: string, item: Item) => Promise<void>>();

const keepAll = async (items: readonly Item[]): Promise<void> => {
  const last = items.at(-1);
  if (last !== undefined) {
    await keep(
      last.bot,
      items.map(({ notice }) => notice),
      last.to,
    );
  }
};

/**
 * Takes news of an alert group: what is known of the group changes, and from that its thread and a look at its process follow.
 * News that no route takes is counted and logged. Safe to repeat. Throws QueueUnavailable to be called again.
 */
export const takeNotice = async (notice: Notice, bot: BotContext): Promise<void> => {
  await tally(bot, 'notices');
  const to = routed(bot.alerts, notice);
  if (to.kind === 'nowhere') {
    await tally(bot, 'unrouted');
    const { source, group, title, severity, status } = notice;
    bot.log.warn(
      { source, group, title, severity, status },
      'no route takes this alert and there is no defaultChannel',
    );
    return;
  }
  let arriving = arrivals.get(bot.queue);
  if (arriving === undefined) {
    arriving = together(keepAll);
    arrivals.set(bot.queue, arriving);
  }
  await arriving(groupIdOf(notice), { bot, notice, to });
};
