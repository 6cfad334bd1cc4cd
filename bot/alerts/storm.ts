import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { BotContext } from '../context.ts';
import { SlackRefused } from '../slack/errors.ts';
import { once, postOnce } from '../thread/post-once.ts';
import { type Group, newestLook } from './group.ts';
import { Severity } from './notice.ts';
import { hashOf } from './show.ts';
import { fileComment, isFileOf, stormContent, stormFile, stormMark, stormMention } from './storm-message.ts';
import { oneLine } from './thread.ts';
import { together } from './together.ts';

/*
 * More new groups a minute than people can read become one message that lists them, and one thread in which those that are
 * looked at are looked at.
 */

/** A group in a storm, as far as its message shows it. */
export const Member = z.object({
  id: z.string(),
  severity: Severity,
  title: z.string(),
  firing: z.boolean(),
  since: z.number(),
  resolvedAt: z.number().nullable(),
  /** What its look says, when there is something. */
  said: z.string().optional(),
});
export type Member = z.infer<typeof Member>;

export const Storm = z.object({
  id: z.string(),
  channel: z.string(),
  startedAt: z.number(),
  /** When the newest group joined. */
  lastAt: z.number(),
  members: z.array(Member),
  mention: z.array(z.string()),
  mentioned: z.array(z.string()),
  ts: z.string().nullable(),
  posting: z.boolean(),
  showing: z.number().nullable(),
  shows: z.number(),
  shown: z.string(),
  /** How many members the newest file lists. */
  filed: z.number(),
});
export type Storm = z.infer<typeof Storm>;

const Now = z.object({ id: z.string(), lastAt: z.number() });

const KIND = 'alert-storm';
const DAY_SECONDS = 24 * 3600;
const MINUTE_MS = 60_000;
const SHOW_EVERY_MS = 2_000;
/** A storm that has so many groups is full: the next one begins. */
const MAX_MEMBERS = 1_000;
const MAX_MENTIONS = 10;

type Bot = Pick<BotContext, 'queue' | 'alerts'>;

const quietMs = ({ alerts }: Pick<BotContext, 'alerts'>): number => alerts.limits.stormQuietSeconds * 1_000;

const idOf = (...parts: readonly (string | number)[]): string =>
  `storm-${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)}`;

const readStorm = async ({ queue }: Pick<BotContext, 'queue'>, id: string): Promise<Storm | null> =>
  Storm.safeParse(await queue.notes.get(KIND, id)).data ?? null;

/** The storm, or the one that follows it when it is full. */
const withRoom = async ({ queue }: Bot, id: string, keepSeconds: number): Promise<string> => {
  let storm = id;
  while ((await queue.notes.count('alert-storm-size', storm, keepSeconds)) > MAX_MEMBERS) storm = idOf(storm);
  return storm;
};

/**
 * The storm that a group which is new in a channel belongs to: one that goes on, or one that begins with it because too many are
 * new in this minute. Null: it gets a thread of its own. Throws QueueUnavailable.
 */
export const stormFor = async (bot: Bot, channel: string): Promise<string | null> => {
  const { queue, alerts } = bot;
  const { limits } = alerts;
  const now = Date.now();
  const current = Now.safeParse(await queue.notes.get('alert-storm-now', channel)).data;
  let storm = current !== undefined && now - current.lastAt < quietMs(bot) ? current.id : null;
  if (storm === null) {
    const minute = Math.floor(now / MINUTE_MS);
    const isNew = await queue.notes.count('alert-new', `${channel} ${minute}`, 2 * 60);
    if (isNew <= limits.groupsPerMinute) return null;
    // The same for all bots that see it begin in this minute.
    storm = idOf(channel, minute);
  }
  storm = await withRoom(bot, storm, limits.keepDays * DAY_SECONDS);
  await queue.notes.set('alert-storm-now', channel, { id: storm, lastAt: now }, DAY_SECONDS);
  return storm;
};

const newStorm = (id: string, channel: string, now: number): Storm => ({
  id,
  channel,
  startedAt: now,
  lastAt: now,
  members: [],
  mention: [],
  mentioned: [],
  ts: null,
  posting: false,
  showing: null,
  shows: 0,
  shown: '',
  filed: 0,
});

const changeStorm = (
  { queue, alerts }: Bot,
  id: string,
  change: (storm: Storm | null) => Storm | null,
): Promise<Storm | null> =>
  queue.alone(KIND, id, async () => {
    const kept = await readStorm({ queue }, id);
    const next = change(kept);
    if (next === null || next === kept) return kept;
    await queue.notes.set(KIND, id, next, alerts.limits.keepDays * DAY_SECONDS);
    return next;
  });

const memberOf = (group: Group): Member => {
  const said = newestLook(group)?.said;
  return {
    id: group.id,
    severity: group.severity,
    title: oneLine(group.title, 200),
    firing: group.firing,
    since: group.since,
    resolvedAt: group.resolvedAt,
    ...(said === undefined ? {} : { said: oneLine(said, 200) }),
  };
};

/** A storm with what is new of its groups; the same one when nothing is. Pure. */
export const withMembers = (storm: Storm, groups: readonly Group[], now: number): Storm => {
  const members = new Map(storm.members.map((member) => [member.id, member]));
  let changed = false;
  let joined = false;
  for (const group of groups) {
    const member = memberOf(group);
    const known = members.get(member.id);
    if (known !== undefined && JSON.stringify(known) === JSON.stringify(member)) continue;
    changed = true;
    joined ||= known === undefined;
    members.set(member.id, member);
  }
  const mention = [...new Set([...storm.mention, ...groups.flatMap((group) => group.mention)])].slice(0, MAX_MENTIONS);
  if (!changed && mention.length === storm.mention.length) return storm;
  return { ...storm, members: [...members.values()], mention, lastAt: joined ? now : storm.lastAt };
};

const errandOf = (id: string, name: string) =>
  ({ kind: 'errand', id: `${id}-${name}`, errand: 'alert-storm', data: { storm: id }, at: Date.now() }) as const;

const setShow = async ({ queue }: Bot, storm: Storm): Promise<void> => {
  if (storm.showing === null) return;
  await queue.accept(errandOf(storm.id, `show-${storm.showing}`), storm.ts === null ? 0 : SHOW_EVERY_MS);
};

/** The look at the storm when it should be over, for the file with all of it. */
const setSettling = async (bot: Bot, { id }: Storm): Promise<void> => {
  const every = quietMs(bot);
  const next = Math.floor(Date.now() / every) + 2;
  await bot.queue.accept(errandOf(id, `settled-${next}`), next * every - Date.now());
};

type Change = { readonly bot: Bot; readonly group: Group };

const changes = new WeakMap<BotContext['queue'], (key: string, item: Change) => Promise<void>>();

const change = async (items: readonly Change[]): Promise<void> => {
  const [first] = items;
  const id = first?.group.storm ?? null;
  if (first === undefined || id === null) return;
  const { bot, group } = first;
  const groups = items.map((item) => item.group);
  const now = Date.now();
  const storm = await changeStorm(bot, id, (kept) => {
    const before = kept ?? newStorm(id, group.channel, now);
    const after = withMembers(before, groups, now);
    if (after === before && kept !== null) return kept;
    return after.showing === null ? { ...after, shows: after.shows + 1, showing: after.shows + 1 } : after;
  });
  if (storm === null) return;
  await setShow(bot, storm);
  if (storm.filed < storm.members.length) await setSettling(bot, storm);
};

/** Puts the newest of a group into its storm's message; nothing for one that has a thread of its own. Safe to repeat. */
export const changeMember = async (bot: Bot, group: Group): Promise<void> => {
  if (group.storm === null) return;
  let changing = changes.get(bot.queue);
  if (changing === undefined) {
    changing = together(change);
    changes.set(bot.queue, changing);
  }
  await changing(group.storm, { bot, group });
};

const saidMentions = async (bot: BotContext, storm: Storm, threadTs: string): Promise<void> => {
  const { id, channel, mention, mentioned, startedAt } = storm;
  for (const who of mention.filter((each) => !mentioned.includes(each))) {
    const mark = { request_id: id, part: `mention-${who}` };
    await postOnce(bot.slack, bot.me.botId, { channel, threadTs, since: startedAt }, stormMention(who), mark, 2);
  }
};

const attachList = async (bot: BotContext, storm: Storm, threadTs: string): Promise<void> => {
  const { slack, me } = bot;
  const place = { channel: storm.channel, threadTs, since: storm.startedAt };
  await once(
    2,
    async () => {
      let there = false;
      await slack.scan({ channel: storm.channel, threadTs }, (message) => {
        if (message.bot_id === me.botId && isFileOf(storm, message)) there = true;
        return there;
      });
      return there ? true : null;
    },
    async () => {
      const id = await slack.upload('alerts.txt', stormFile(storm));
      await slack.share(place, [{ id, title: 'alerts.txt' }], fileComment(storm));
      return true;
    },
  );
};

const editStorm = async (bot: BotContext, storm: Storm, ts: string): Promise<void> => {
  const { channel } = storm;
  try {
    const edit = () => bot.slack.edit({ channel, ts }, stormContent(storm), stormMark(storm), 'wait');
    await bot.queue.turns.other({ channel, ts }, edit);
  } catch (error) {
    if (!(error instanceof SlackRefused)) throw error;
    bot.log.warn({ storm: storm.id, channel, code: error.code }, 'message of a storm cannot be edited');
  }
};

/**
 * Brings the message of a storm up to date, and attaches the list of all when it is over. Returns its thread; null when Slack
 * refuses it, which is in the log. Safe to repeat. Throws to be called again: when Slack or the queue do not answer.
 */
export const showStorm = (bot: BotContext, id: string): Promise<{ channel: string; threadTs: string } | null> =>
  bot.queue.alone('alert-show', id, async () => {
    const before = await readStorm(bot, id);
    if (before === null) return null;
    const { channel } = before;
    try {
      const storm =
        (await changeStorm(bot, id, (kept) => (kept === null ? null : { ...kept, showing: null, posting: true }))) ??
        before;
      const shown = hashOf(stormContent(storm), stormMark(storm));
      let threadTs = storm.ts;
      if (threadTs === null) {
        const place = { channel, since: storm.startedAt };
        const attempt = before.posting ? 2 : 1;
        threadTs = await postOnce(bot.slack, bot.me.botId, place, stormContent(storm), stormMark(storm), attempt);
        const ts = threadTs;
        await changeStorm(bot, id, (kept) => (kept === null ? null : { ...kept, ts, shown, mentioned: storm.mention }));
        return { channel, threadTs };
      }
      if (shown !== storm.shown) await editStorm(bot, storm, threadTs);
      await saidMentions(bot, storm, threadTs);
      const filing = storm.members.length > storm.filed && Date.now() - storm.lastAt >= quietMs(bot);
      if (filing) await attachList(bot, storm, threadTs);
      await changeStorm(bot, id, (kept) =>
        kept === null
          ? null
          : { ...kept, shown, mentioned: storm.mention, filed: filing ? storm.members.length : kept.filed },
      );
      return { channel, threadTs };
    } catch (error) {
      if (!(error instanceof SlackRefused)) throw error;
      bot.log.error(
        { storm: id, channel, code: error.code, groups: before.members.length },
        'message of a storm refused by Slack',
      );
      return null;
    }
  });
