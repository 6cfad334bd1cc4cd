import type { Queue } from 'bullmq';
import { z } from 'zod';
import { type Failure, LookFailed, Request } from '../../playbooks/model/index.ts';
import type { RedisClient } from './connection.ts';
import type { AnswerMessage } from './messages.ts';
import { jobId, key } from './names.ts';

/** Who wants a look to end. Kept under the request's id, where the worker that runs it looks. */
export const Cancellation = z.object({
  /** The same cancelling is the same id: done again after a crash, it goes on where it was. */
  id: z.string(),
  /** A person's name, as it is shown. */
  by: z.string(),
  request: Request,
});
export type Cancellation = z.infer<typeof Cancellation>;

/**
 * What became of it. `removed`: the look waited, and its answer says that it was cancelled. `told`: it runs, and its worker
 * ends it. `already`: somebody else did it before. `ended`: it has an answer. `unknown`: there is no such look.
 */
export type Cancelled =
  | { readonly state: 'removed' | 'told' | 'ended' | 'unknown' }
  | { readonly state: 'already'; readonly by: string };

const KEEP_SECONDS = 24 * 3600;
/** How often a worker looks whether a look that it runs is to end, ms: most of what a person waits for the end to begin. */
const CHECK_MS = 250;

/** The key of a wish to end a look. */
export const wishKey = (requestId: string): string => key('cancelled', requestId);

/** A wish as it is kept; null when there is none. */
export const wishOf = (text: string | null): Cancellation | null => {
  try {
    return text === null ? null : (Cancellation.safeParse(JSON.parse(text)).data ?? null);
  } catch {
    // Not ours; nobody wished anything by it.
    return null;
  }
};

const read = async (redis: RedisClient, requestId: string): Promise<Cancellation | null> =>
  wishOf(await redis.get(wishKey(requestId)));

/** What the answer to a cancelled look says when there is nothing else to say. */
export const cancelledBy = ({ by }: Pick<Cancellation, 'by'>): LookFailed =>
  new LookFailed('cancelled', `The look was cancelled by ${by}.`);

const whileWaiting = (by: string): Failure => ({
  code: 'cancelled',
  sentence: `The look was cancelled by ${by} while it waited for a worker.`,
});

/** Aborts looks of this process soon after somebody has cancelled them. */
export interface CancelWatch {
  /** Watches for one look until the returned function is called. */
  readonly watch: (requestId: string, abort: AbortController) => () => void;
}

/**
 * Opens the watch. Keys are looked at instead of messages waited for: they are there whatever either side missed. All looks
 * are asked about in one command, so that a worker with hundreds of them asks Redis no more often than one with a single look.
 */
export const cancelWatch = (redis: RedisClient): CancelWatch => {
  const watched = new Map<AbortController, string>();
  let timer: NodeJS.Timeout | null = null;
  let asking = false;
  const later = () => {
    if (timer !== null || asking || watched.size === 0) return;
    timer = setTimeout(check, CHECK_MS);
  };
  const check = async () => {
    timer = null;
    asking = true;
    const asked = [...watched];
    // While Redis is away nobody can cancel either.
    const found = await redis.mget(asked.map(([, id]) => wishKey(id))).catch(() => []);
    asking = false;
    for (const [index, [abort]] of asked.entries()) {
      const cancelled = wishOf(found[index] ?? null);
      if (cancelled !== null && watched.delete(abort)) abort.abort(cancelledBy(cancelled));
    }
    later();
  };
  return {
    watch: (requestId, abort) => {
      watched.set(abort, requestId);
      later();
      return () => {
        watched.delete(abort);
        if (watched.size > 0 || timer === null) return;
        clearTimeout(timer);
        timer = null;
      };
    },
  };
};

export interface CancelTools {
  readonly redis: RedisClient;
  readonly looks: Queue<Request>;
  readonly answers: Queue<AnswerMessage>;
  /** Puts the answer of a look that no worker will give one. The same answer twice is one. */
  readonly answer: (requestId: string, message: AnswerMessage) => Promise<unknown>;
}

/** Ends a look, whether it waits or runs. Safe to repeat with the same `id`. Throws what Redis throws. */
export const cancelLook = async (
  { redis, looks, answers, answer }: CancelTools,
  { id, requestId, by }: { readonly id: string; readonly requestId: string; readonly by: string },
): Promise<Cancelled> => {
  const before = await read(redis, requestId);
  const mine = before?.id === id;
  if ((await answers.getJob(jobId('answer', requestId))) !== undefined) return { state: mine ? 'told' : 'ended' };
  if (before !== null && !mine) return { state: 'already', by: before.by };
  const job = await looks.getJob(jobId('look', requestId));
  const request = Request.safeParse(job?.data).data ?? before?.request;
  if (request === undefined) return { state: 'unknown' };
  const state = await job?.getState();
  if (state === 'completed' || state === 'failed') return { state: 'ended' };
  const wish: Cancellation = { id, by, request };
  if (!mine && (await redis.set(wishKey(requestId), JSON.stringify(wish), 'EX', KEEP_SECONDS, 'NX')) !== 'OK') {
    return { state: 'already', by: (await read(redis, requestId))?.by ?? 'another one' };
  }
  if (job !== undefined && (state === 'active' || !(await removed(job)))) return { state: 'told' };
  // Without a job an earlier try ended between taking it out of the queue and this.
  const failure = whileWaiting(by);
  await answer(requestId, {
    kind: 'answer',
    answer: { requestId, request, outcome: { kind: 'failure', failure }, files: [] },
  });
  return { state: 'removed' };
};

/** Takes a look that waits out of the queue; false when a worker has it. */
const removed = async (job: { readonly remove: () => Promise<void> }): Promise<boolean> => {
  try {
    await job.remove();
    return true;
  } catch {
    // A worker took it in this very moment (BullMQ removes nothing that is locked), and finds the wish.
    return false;
  }
};
