import { setTimeout as sleep } from 'node:timers/promises';
import { WebAPIRateLimitedError } from '@slack/web-api';
import type { Log } from '../../infra/log.ts';

/** Keeps requests as slow as Slack asks, lane by lane, so that one busy channel holds up no other. */
export interface Pacing {
  /**
   * Runs a request; after a 429 waits as long as Slack asks and runs it again. Others in the same lane wait too.
   * Throws what the request throws, the 429 itself after five minutes of them.
   */
  readonly inLane: <T>(lane: string, request: () => Promise<T>) => Promise<T>;
  /** Runs work of one channel one after the other, in the order in which it was asked for. */
  readonly inOrder: <T>(channel: string, work: () => Promise<T>) => Promise<T>;
  /** Whether something that may be left out should be sent now. */
  readonly mayHurry: (lane: string) => boolean;
  /** Runs a request that may be left out: a 429 makes its lane wait and is otherwise forgotten. */
  readonly orSkip: (lane: string, request: () => Promise<unknown>) => Promise<void>;
}

const LONGEST_WAIT_MS = 5 * 60_000;
/**
 * Edits that only show progress are held to less than Slack's tier 3 (50 a minute), so that the final ones always find
 * room: so many at once, and so many a second after that.
 */
const HURRY_BURST = 20;
const HURRY_PER_SECOND = 0.6;

/** Makes a pacing without any waits. */
export const pacing = (log: Log, now: () => number = Date.now): Pacing => {
  const notBefore = new Map<string, number>();
  const lastOf = new Map<string, Promise<unknown>>();
  let tokens = HURRY_BURST;
  let tokensAt = now();

  const slowDown = (lane: string, error: WebAPIRateLimitedError): void => {
    const until = now() + Math.max(1, error.retryAfter) * 1_000;
    notBefore.set(lane, Math.max(until, notBefore.get(lane) ?? 0));
    log.info({ lane, seconds: error.retryAfter }, 'Slack asks to slow down');
  };

  const waitOf = (lane: string): number => {
    const wait = (notBefore.get(lane) ?? 0) - now();
    if (wait <= 0) notBefore.delete(lane);
    return Math.max(0, wait);
  };

  return {
    inLane: async (lane, request) => {
      const until = now() + LONGEST_WAIT_MS;
      for (;;) {
        for (let wait = waitOf(lane); wait > 0; wait = waitOf(lane)) await sleep(wait);
        try {
          return await request();
        } catch (error) {
          if (!(error instanceof WebAPIRateLimitedError)) throw error;
          slowDown(lane, error);
          if (now() + waitOf(lane) > until) throw error;
        }
      }
    },
    inOrder: async (channel, work) => {
      const before = lastOf.get(channel) ?? Promise.resolve();
      const mine = before.then(work, work);
      // What the one before threw is its own caller's matter.
      const settled = mine.catch(() => undefined);
      lastOf.set(channel, settled);
      try {
        return await mine;
      } finally {
        if (lastOf.get(channel) === settled) lastOf.delete(channel);
      }
    },
    mayHurry: (lane) => {
      const at = now();
      tokens = Math.min(HURRY_BURST, tokens + ((at - tokensAt) / 1_000) * HURRY_PER_SECOND);
      tokensAt = at;
      if (waitOf(lane) > 0 || tokens < 1) return false;
      tokens -= 1;
      return true;
    },
    orSkip: async (lane, request) => {
      try {
        await request();
      } catch (error) {
        if (!(error instanceof WebAPIRateLimitedError)) throw error;
        slowDown(lane, error);
      }
    },
  };
};
