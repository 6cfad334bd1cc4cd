import type { BotContext } from '../context.ts';
import { Group } from './group.ts';

type Bot = Pick<BotContext, 'queue' | 'alerts'>;

const KIND = 'alert-group';
const DAY_SECONDS = 24 * 3600;
/** The least time between two edits of a first message, ms. */
const SHOW_EVERY_MS = 1_000;

/** A group as it is kept; null when nothing is known of it. One of another version counts as unknown. Throws QueueUnavailable. */
export const readGroup = async ({ queue }: Pick<BotContext, 'queue'>, id: string): Promise<Group | null> =>
  Group.safeParse(await queue.notes.get(KIND, id)).data ?? null;

/**
 * Has the group's thread brought up to date by an errand: at once for the first message, else at most once a second. Safe
 * to repeat: as long as a show is set and has not begun it is the same one.
 */
export const setShow = async ({ queue }: Pick<BotContext, 'queue'>, group: Group, first = false): Promise<void> => {
  if (group.showing === null) return;
  const id = `alert-show-${group.id}-${group.showing}`;
  const data = { group: group.id };
  await queue.accept({ kind: 'errand', id, errand: 'alert-show', data, at: queue.now() }, first ? 0 : SHOW_EVERY_MS);
};

/** A group for which a show is set; none is needed while one is set that has not begun, or in a storm, which shows itself. */
export const toBeShown = (group: Group): Group =>
  group.showing !== null || group.storm !== null
    ? group
    : { ...group, shows: group.shows + 1, showing: group.shows + 1 };

/**
 * Changes a group as the only one over all bots; `change` gets null for one that is not known, and returns null to leave it
 * as it is. Returns what is kept afterwards. Throws QueueUnavailable.
 */
export const changeGroup = (
  { queue, alerts }: Bot,
  id: string,
  change: (group: Group | null) => Group | null | Promise<Group | null>,
): Promise<Group | null> =>
  queue.alone(KIND, id, async () => {
    const kept = await readGroup({ queue }, id);
    const next = await change(kept);
    if (next === null || next === kept) return kept;
    await queue.notes.set(KIND, id, next, alerts.limits.keepDays * DAY_SECONDS);
    return next;
  });

/** Changes a known group and has its thread show it. */
export const changeAndShow = async (bot: Bot, id: string, change: (group: Group) => Group): Promise<Group | null> => {
  const group = await changeGroup(bot, id, (kept) => (kept === null ? null : toBeShown(change(kept))));
  if (group !== null) await setShow(bot, group);
  return group;
};
