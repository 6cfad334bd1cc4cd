import { performance } from 'node:perf_hooks';
import type { RedisClient } from './connection.ts';

/** What time it is by Redis's clock (TIME), the one that bots and workers share, ms since 1970. Throws what the connection throws. */
export const clockOf = async (redis: RedisClient): Promise<number> => {
  const [seconds, micros] = await redis.time();
  return Math.round(Number(seconds) * 1000 + Number(micros) / 1000);
};

/** The clock that all bots and workers share. What one of them dates and another one ages is dated by it. */
export interface SharedClock {
  /** What time it is by Redis's clock, as it was last asked for, ms since 1970; by this machine's until Redis has answered once. */
  readonly now: () => number;
  /** The same moment by this machine's clock, ms since 1970: for what is compared with what this machine dated. */
  readonly local: (shared: number) => number;
  readonly close: () => void;
}

const EVERY_MS = 30_000;

/**
 * Keeps Redis's time: asks for it whenever the connection is ready and every so often. What passes in between is counted by a clock
 * that nobody sets (CLOCK_MONOTONIC, which Node's `performance.now` reads), so a clock that is set while we run changes nothing.
 */
export const sharedClock = (redis: RedisClient, everyMs = EVERY_MS): SharedClock => {
  let ahead: number | null = null;
  const measure = async (): Promise<void> => {
    const before = performance.now();
    const theirs = await clockOf(redis).catch(() => null);
    // The answer was made somewhere between asking and hearing.
    if (theirs !== null) ahead = theirs - (before + performance.now()) / 2;
  };
  const ready = () => void measure();
  redis.on('ready', ready);
  if (redis.status === 'ready') ready();
  const timer = setInterval(() => {
    if (redis.status === 'ready') ready();
  }, everyMs);
  timer.unref();
  const now = (): number => (ahead === null ? Date.now() : Math.round(performance.now() + ahead));
  return {
    now,
    local: (shared) => Date.now() - (now() - shared),
    close: () => {
      clearInterval(timer);
      redis.off('ready', ready);
    },
  };
};
