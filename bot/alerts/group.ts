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
export type KeptAlert = z.infer<typeof KeptAlert>;

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

/** A look that waits or runs for longer has no end that will ever be told, ms. */
const LONGEST_WAIT_MS = 6 * 60 * 60_000;
const LONGEST_LOOK_MS = 60 * 60_000;
/** Stands for alerts that a notice does not list. */
export const UNLISTED = 'unlisted';

/** The beginning of a hash over texts. */
export const hash = (...parts: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);

/** The id under which a group is kept, posted and locked. */
export const groupIdOf = ({ source, group }: Pick<Notice, 'source' | 'group'>): string =>
  `alert-${hash(source, group)}`;

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
  const longest = { asked: LONGEST_WAIT_MS, running: LONGEST_LOOK_MS };
  const goesOn = (last.state === 'asked' || last.state === 'running') && now - last.at < longest[last.state];
  if (goesOn || now - last.at < cooldownMs) return false;
  const looked = new Set(group.looked);
  return group.episodes > group.lookedEpisode || firingIn(group).some((id) => id !== UNLISTED && !looked.has(id));
};
