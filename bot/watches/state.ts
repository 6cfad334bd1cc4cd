import { z } from 'zod';
import type { BotQueue } from '../../infra/queue/bot-side.ts';
import { HostName, Pid } from '../../playbooks/model/index.ts';

const Value = z.number().nullable();

/** What one look of a watch measured. */
export const WatchPoint = z.object({ at: z.number(), cpuPercent: Value, rssKib: Value, threads: Value, fds: Value });
export type WatchPoint = z.infer<typeof WatchPoint>;

/** A cause that was found by some look of the watch, or by the last one of the thread before it. */
export const WatchedCause = z.object({
  cause: z.string(),
  title: z.string(),
  present: z.boolean(),
  /** Whether the newest look found it. */
  seen: z.boolean(),
  /** Looks in a row that ruled it out. */
  clear: z.number().int(),
  /** How often its coming and going has been said. */
  said: z.number().int(),
});
export type WatchedCause = z.infer<typeof WatchedCause>;

/** All that is known of a watch; kept in the queue's notes, so that any bot goes on with it. */
export const Watch = z.object({
  id: z.string(),
  team: z.string(),
  channel: z.string(),
  threadTs: z.string(),
  user: z.string(),
  host: HostName,
  pid: Pid,
  /** The message that shows it; null before that is posted. */
  messageTs: z.string().nullable(),
  /** Milliseconds since 1970. */
  startedAt: z.number(),
  until: z.number(),
  /** Of the process that the first look identified; later looks are at no other. */
  startTime: z.string().nullable(),
  command: z.string().nullable(),
  /** The last look whose answer has been taken in, from 1. */
  round: z.number().int(),
  points: z.array(WatchPoint),
  /** Looks that failed in a row, and why the last one did. */
  failing: z.object({ times: z.number().int(), sentence: z.string() }).nullable(),
  /** Whether `causes` says what to compare with; else the first look does. */
  compared: z.boolean(),
  causes: z.array(WatchedCause),
  ended: z
    .object({
      at: z.number(),
      /** A sentence. */
      why: z.string(),
      /** Whether the thread has to be told by a message of its own. */
      tell: z.boolean(),
      /** Whether its message shows that. */
      shown: z.boolean(),
    })
    .nullable(),
});
export type Watch = z.infer<typeof Watch>;

/** Over all threads: each takes a worker for some seconds of every half minute. */
export const MOST_WATCHES = 50;
const KEEP_SECONDS = 2 * 24 * 3600;
const INDEX_SECONDS = 7 * 24 * 3600;
const Index = z.array(z.string());

type Notes = Pick<BotQueue, 'notes'>;

/** Null when there is none (any more). Throws QueueUnavailable. */
export const loadWatch = async ({ notes }: Notes, id: string): Promise<Watch | null> =>
  Watch.safeParse(await notes.get('watch', id)).data ?? null;

/** Throws QueueUnavailable. */
export const saveWatch = async ({ notes, now }: Pick<BotQueue, 'notes' | 'now'>, watch: Watch): Promise<void> => {
  const left = Math.max(0, Math.ceil((watch.until - now()) / 1000));
  await notes.set('watch', watch.id, watch, left + KEEP_SECONDS);
};

/** Runs work as the only one that changes this watch. Throws QueueUnavailable, and what `work` throws. */
export const withWatch = <T>(queue: Pick<BotQueue, 'alone'>, id: string, work: () => Promise<T>): Promise<T> =>
  queue.alone('watch', id, work);

const readIndex = async ({ notes }: Notes): Promise<string[]> =>
  Index.safeParse(await notes.get('watches', 'all')).data ?? [];

/** The watches that have not ended and that `wanted` accepts. Throws QueueUnavailable. */
export const runningWatches = async (queue: Notes, wanted: (watch: Watch) => boolean): Promise<Watch[]> => {
  const watches = await Promise.all((await readIndex(queue)).map((id) => loadWatch(queue, id)));
  return watches.filter((watch) => watch !== null).filter((watch) => watch.ended === null && wanted(watch));
};

/**
 * Begins a watch: keeps it and lists it. The same watch is begun once, however often this is called. Throws
 * QueueUnavailable.
 */
export const addWatch = (queue: Pick<BotQueue, 'notes' | 'now' | 'alone'>, watch: Watch): Promise<void> =>
  queue.alone('watches', 'all', async () => {
    const running = await runningWatches(queue, () => true);
    if ((await loadWatch(queue, watch.id)) === null) await saveWatch(queue, watch);
    const ids = running.map(({ id }) => id).filter((id) => id !== watch.id);
    await queue.notes.set('watches', 'all', [...ids, watch.id], INDEX_SECONDS);
  });
