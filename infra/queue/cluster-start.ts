import type { Log } from '../log.ts';
import { closeRedis, openPatient } from './connection.ts';
import { placeOf, type RedisAddress } from './place.ts';

/**
 * Waits until a Redis Cluster has answered once, or `signal` is given; for other places it does not wait. What takes messages is made
 * after it: a consumer of BullMQ (6.7) whose cluster is away when it is made asks it for work for ever without a pause, so that
 * nothing else in the program gets a turn, and never hears that it came. One that goes away later is no such trouble.
 */
export const untilClusterAnswers = async (address: RedisAddress, log: Log, signal: AbortSignal): Promise<void> => {
  if (placeOf(address).kind !== 'cluster' || signal.aborted) return;
  const redis = openPatient(address, log);
  try {
    await new Promise<void>((resolve) => {
      redis.once('ready', resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    await closeRedis(redis);
  }
};
