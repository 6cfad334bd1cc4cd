import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { BotContext } from '../context.ts';
import { type Group, newestLook } from './group.ts';
import { Severity } from './notice.ts';
import { oneLine } from './thread.ts';

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
/** A storm that has so many groups is full: the next one begins. */
const MAX_MEMBERS = 1_000;
const MAX_MENTIONS = 10;

export type StormBot = Pick<BotContext, 'queue' | 'alerts'>;

/** With no new group for this long a storm is over, ms. */
export const quietMs = ({ alerts }: Pick<BotContext, 'alerts'>): number => alerts.limits.stormQuietSeconds * 1_000;

const idOf = (...parts: readonly (string | number)[]): string =>
  `storm-${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)}`;

/** A storm as it is kept; null when nothing is known of it. Throws QueueUnavailable. */
export const readStorm = async ({ queue }: Pick<BotContext, 'queue'>, id: string): Promise<Storm | null> =>
  Storm.safeParse(await queue.notes.get(KIND, id)).data ?? null;

/** The storm, or the one that follows it when it is full. */
const withRoom = async ({ queue }: StormBot, id: string, keepSeconds: number): Promise<string> => {
  let storm = id;
  while ((await queue.notes.count('alert-storm-size', storm, keepSeconds)) > MAX_MEMBERS) storm = idOf(storm);
  return storm;
};

/** How many groups were new in a channel in the last minute, this one included; those of the minute before it count by their share. */
const newInMinute = async ({ queue }: StormBot, channel: string, now: number): Promise<number> => {
  const minute = Math.floor(now / MINUTE_MS);
  const inThis = await queue.notes.count('alert-new', `${channel} ${minute}`, 3 * 60);
  const before = Number((await queue.notes.get('alert-new', `${channel} ${minute - 1}`)) ?? 0);
  return inThis + Math.floor(before * (1 - (now % MINUTE_MS) / MINUTE_MS));
};

/**
 * The storm that a group which is new in a channel belongs to: one that goes on, or one that begins with it because too many are
 * new in this minute. Null: it gets a thread of its own. Throws QueueUnavailable.
 */
export const stormFor = async (bot: StormBot, channel: string): Promise<string | null> => {
  const { queue, alerts } = bot;
  const { limits } = alerts;
  const now = queue.now();
  const current = Now.safeParse(await queue.notes.get('alert-storm-now', channel)).data;
  let storm = current !== undefined && now - current.lastAt < quietMs(bot) ? current.id : null;
  if (storm === null) {
    const minute = Math.floor(now / MINUTE_MS);
    if ((await newInMinute(bot, channel, now)) <= limits.groupsPerMinute) return null;
    // The same for all bots that see it begin in this minute.
    storm = idOf(channel, minute);
  }
  storm = await withRoom(bot, storm, limits.keepDays * DAY_SECONDS);
  await queue.notes.set('alert-storm-now', channel, { id: storm, lastAt: now }, DAY_SECONDS);
  return storm;
};

/** A storm without groups. */
export const newStorm = (id: string, channel: string, now: number): Storm => ({
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

/** Changes a storm as the only one over all bots; returns what is kept afterwards. Throws QueueUnavailable. */
export const changeStorm = (
  { queue, alerts }: StormBot,
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
