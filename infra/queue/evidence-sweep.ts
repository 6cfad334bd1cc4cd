import { type FarStore, namedBefore } from '../evidence/far-store.ts';
import type { Log } from '../log.ts';
import type { SharedClock } from './clock.ts';
import type { RedisClient } from './connection.ts';
import { leaseOf } from './evidence-store.ts';
import { key } from './names.ts';
import { endsWithin } from './within.ts';

const EVERY_SECONDS = 15 * 60;
const FIRST_MS = 60_000;
/** A day, as in Redis, and an hour for clocks. */
const LEAST_AGE_MS = 25 * 3_600_000;
const AT_ONCE = 8;
const STOP_MS = 2_000;

const without = async (redis: RedisClient, names: readonly string[]): Promise<string[]> => {
  const there = await Promise.all(names.map((name) => redis.exists(leaseOf(name))));
  return names.filter((_name, index) => there[index] === 0);
};

/**
 * Deletes the objects whose lease has run out, the oldest first; how many. What is younger than a day is left alone even then: its
 * lease may not have been written. An object that somebody still waits for has one, for history holds it. Throws EvidenceUnavailable and what
 * Redis throws: the rest goes the next time.
 */
export const sweepEvidence = async (redis: RedisClient, far: FarStore, now: number): Promise<number> => {
  const before = now - LEAST_AGE_MS;
  let removed = 0;
  for (let after: string | null = ''; after !== null; ) {
    const { objects, last } = await far.list(after);
    // Names come by age.
    const old = objects.filter(({ name, at }) => at < before && namedBefore(name, before)).map(({ name }) => name);
    const over = await without(redis, old);
    for (let from = 0; from < over.length; from += AT_ONCE) {
      const some = over.slice(from, from + AT_ONCE);
      await Promise.all(some.map((name) => far.remove(name)));
      removed += some.length;
    }
    const newest = objects.at(-1)?.name;
    after = newest !== undefined && !namedBefore(newest, before) ? null : last;
  }
  return removed;
};

/** Sweeps every quarter of an hour, one bot for all. */
export const keepSwept = (
  redis: RedisClient,
  far: FarStore,
  clock: Pick<SharedClock, 'now'>,
  log: Log,
): { readonly stop: () => Promise<void> } => {
  let running: Promise<void> | null = null;
  const sweep = async (): Promise<void> => {
    try {
      // It runs out by itself: a bot that ends in the middle leaves the rest to the next.
      const mine = await redis.set(key('evidence-sweep'), '', 'EX', EVERY_SECONDS - 60, 'NX');
      if (mine !== 'OK') return;
      const removed = await sweepEvidence(redis, far, clock.now());
      if (removed > 0) log.info({ removed }, 'evidence: deleted what was kept for long enough');
    } catch (error) {
      log.warn(
        { error: error instanceof Error ? error.message : String(error) },
        'evidence: deleting what is old failed',
      );
    }
  };
  const begin = (): void => {
    running ??= sweep().finally(() => {
      running = null;
    });
  };
  const first = setTimeout(begin, FIRST_MS);
  const timer = setInterval(begin, EVERY_SECONDS * 1_000);
  first.unref();
  timer.unref();
  return {
    stop: async () => {
      clearTimeout(first);
      clearInterval(timer);
      // A Redis or a bucket that does not answer is not waited for: what is left is the next one's.
      if (running !== null) await endsWithin(running, STOP_MS);
    },
  };
};
