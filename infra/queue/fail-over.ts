import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisClient } from './connection.ts';
import type { RedisPlace } from './place.ts';

/**
 * For so long after a connection was made a fail-over may have taken back what was written: longer than a look whose worker is
 * forgotten takes to be done again.
 */
const DOUBT_MS = 15 * 60_000;

/**
 * Whether what the queue says may be older than what was done by it. A replica that becomes master does not know the last
 * writes of the old one, so work may come for the first time that has been done and shown. Never so of a single server.
 */
export const doubtAfterFailOver = (redis: RedisClient, place: RedisPlace): (() => boolean) => {
  if (place.kind === 'standalone') return () => false;
  let since = performance.now();
  const again = () => {
    since = performance.now();
  };
  redis.on('ready', again);
  // Of a cluster's nodes, one came or went.
  redis.on('+node', again);
  redis.on('-node', again);
  return () => performance.now() - since < DOUBT_MS;
};

/** A server that is there and takes no writes now: no memory, no disk, too few replicas, no longer or not yet master. */
const REFUSED = /^(?:NOREPLICAS|OOM|MISCONF|READONLY|LOADING|CLUSTERDOWN|TRYAGAIN|MASTERDOWN)\b/;
const PAUSE_MS = 1_000;

/** Does something as often as it takes until Redis takes it, or `signal` is aborted. Throws whatever is no such refusal. */
export const untilTaken = async <T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> => {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || !(error instanceof Error) || !REFUSED.test(error.message)) throw error;
      await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }
};
