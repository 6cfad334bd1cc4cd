import { z } from 'zod';
import type { AlertLimits } from '../../infra/alert-routes.ts';
import type { BotContext } from '../context.ts';
import { tally } from './figures.ts';
import { Severity } from './notice.ts';
import { together } from './together.ts';

/*
 * Looks that alerts have asked for: so many at once per host and in all, the others wait, the worst first. Who runs and who
 * waits is one note, changed by one bot at a time.
 */

/** A look that wants room. */
export const Wanted = z.object({
  /** The request's id. */
  id: z.string(),
  group: z.string(),
  host: z.string(),
  severity: Severity,
  /** When it was asked for, milliseconds since 1970. */
  at: z.number(),
});
export type Wanted = z.infer<typeof Wanted>;

const Room = z.object({ running: z.array(Wanted.extend({ begun: z.number() })), waiting: z.array(Wanted) });
export type Room = z.infer<typeof Room>;

/** What one bot wants of the room. */
type Wish =
  | { readonly kind: 'add'; readonly wanted: Wanted }
  | { readonly kind: 'end'; readonly id: string }
  | { readonly kind: 'check' };

type RoomBot = Pick<BotContext, 'queue' | 'log' | 'alerts'>;

const KIND = 'alert-room';
const ID = 'looks';
const KEEP_SECONDS = 7 * 24 * 3600;
/** A look that has not ended after this is lost: Redis forgot it, or its answer could not be read. */
const LOST_MS = 20 * 60_000;
/** Looks that run for this long are asked whether their answer is there. */
const ASK_AFTER_MS = 60_000;
const CHECK_MS = 60_000;

const byUrgency = (a: Wanted, b: Wanted): number =>
  Severity.options.indexOf(a.severity) - Severity.options.indexOf(b.severity) ||
  a.at - b.at ||
  a.id.localeCompare(b.id);

/** Lets in as many as there is room for, the worst first; those that are too many for waiting are turned away. Pure. */
export const letIn = (
  { running, waiting }: Room,
  limits: Pick<AlertLimits, 'looks' | 'looksPerHost' | 'waiting'>,
  now: number,
): { room: Room; begun: Wanted[]; turnedAway: Wanted[] } => {
  const inside = [...running];
  const begun: Wanted[] = [];
  const outside: Wanted[] = [];
  for (const wanted of [...waiting].sort(byUrgency)) {
    const onHost = inside.filter(({ host }) => host === wanted.host).length;
    if (inside.length < limits.looks && onHost < limits.looksPerHost) {
      inside.push({ ...wanted, begun: now });
      begun.push(wanted);
    } else {
      outside.push(wanted);
    }
  }
  return {
    room: { running: inside, waiting: outside.slice(0, limits.waiting) },
    begun,
    turnedAway: outside.slice(limits.waiting),
  };
};

const granted = ({ running, waiting }: Room, wishes: readonly Wish[]): Room => {
  let room: Room = { running, waiting };
  for (const wish of wishes) {
    if (wish.kind === 'end') {
      const others = ({ id }: Wanted) => id !== wish.id;
      room = { running: room.running.filter(others), waiting: room.waiting.filter(others) };
    } else if (wish.kind === 'add') {
      const { wanted } = wish;
      const known = [...room.running, ...room.waiting].some(({ id }) => id === wanted.id);
      if (!known) room = { running: room.running, waiting: [...room.waiting, wanted] };
    }
  }
  return room;
};

/** Whoever runs in the room now and whoever waits, in the order in which they will be let in. Throws QueueUnavailable. */
export const readRoom = async ({ queue }: Pick<BotContext, 'queue'>): Promise<Room> =>
  Room.safeParse(await queue.notes.get(KIND, ID)).data ?? { running: [], waiting: [] };

/** Without those whose end was missed. */
const withoutLost = async ({ running, waiting }: Room, { queue, log }: RoomBot): Promise<Room> => {
  const now = queue.now();
  const there: Room['running'] = [];
  for (const look of running) {
    const age = now - look.begun;
    const lost = age > LOST_MS || (age > ASK_AFTER_MS && (await queue.answerTo(look.id)) !== null);
    if (lost) log.warn({ requestId: look.id, host: look.host }, 'end of an alert’s look was missed; its room is free');
    else there.push(look);
  }
  return { running: there, waiting };
};

/** The next check of the room, while somebody waits in it: the end of a look may have been missed. */
const setCheck = async ({ queue }: RoomBot): Promise<void> => {
  const now = queue.now();
  const next = Math.floor(now / CHECK_MS) + 1;
  const errand = { kind: 'errand', id: `alert-room-${next}`, errand: 'alert-room', data: {}, at: now } as const;
  await queue.accept(errand, next * CHECK_MS - now);
};

const handOut = async (bot: RoomBot, look: Wanted, turnedAway: boolean): Promise<void> => {
  const data = { group: look.group, look: look.id, ...(turnedAway ? { turnedAway } : {}) };
  const id = `alert-look-${look.id}${turnedAway ? '-away' : ''}`;
  await bot.queue.accept({ kind: 'errand', id, errand: 'alert-look', data, at: bot.queue.now() });
};

const change = (bot: RoomBot, wishes: readonly Wish[]): Promise<void> =>
  bot.queue.alone(KIND, ID, async () => {
    const { queue, alerts } = bot;
    const before = await readRoom(bot);
    const room = granted(await withoutLost(before, bot), wishes);
    const { room: after, begun, turnedAway } = letIn(room, alerts.limits, queue.now());
    // Handed out before it is written: after a crash in between it is handed out again, which is known by its id.
    for (const look of begun) await handOut(bot, look, false);
    for (const look of turnedAway) {
      await tally(bot, 'looks-left');
      await handOut(bot, look, true);
    }
    await queue.notes.set(KIND, ID, after, KEEP_SECONDS);
    if (after.waiting.length > 0) await setCheck(bot);
  });

const changes = new WeakMap<BotContext['queue'], (key: string, wish: { bot: RoomBot; wish: Wish }) => Promise<void>>();

const wishFor = (bot: RoomBot, wish: Wish): Promise<void> => {
  let changing = changes.get(bot.queue);
  if (changing === undefined) {
    changing = together((items) =>
      change(
        items[0]?.bot ?? bot,
        items.map((item) => item.wish),
      ),
    );
    changes.set(bot.queue, changing);
  }
  return changing(ID, { bot, wish });
};

/** Asks for room for a look: it begins now or when there is room. Safe to repeat. Throws QueueUnavailable. */
export const askRoom = (bot: RoomBot, wanted: Wanted): Promise<void> => wishFor(bot, { kind: 'add', wanted });

/** A look is over, or will not be made: the next may begin. Safe to repeat. Throws QueueUnavailable. */
export const leaveRoom = (bot: RoomBot, id: string): Promise<void> => wishFor(bot, { kind: 'end', id });

/** Lets in whoever may, after looking for looks whose end was missed. Throws QueueUnavailable. */
export const checkRoom = (bot: RoomBot): Promise<void> => wishFor(bot, { kind: 'check' });
