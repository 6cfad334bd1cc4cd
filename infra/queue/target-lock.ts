import { LookFailed } from '../../playbooks/model/index.ts';
import type { RedisClient } from './connection.ts';
import { LeaseTaken, withLease } from './lease.ts';
import { key } from './names.ts';

/** How one look asks to be alone with a process. */
export interface TargetLockOptions {
  readonly host: string;
  readonly pid: number;
  /** What this look is, for those who wait: `a triage look, asked for by U123`. */
  readonly doing: string;
  /** How long the lock outlives a holder that died, ms. It is renewed while the holder lives. Default 20,000. */
  readonly leaseMs?: number;
  /** How long to wait for another look, ms. Default 90,000. */
  readonly waitMs?: number;
  /** Ends the waiting early. */
  readonly signal?: AbortSignal;
  /** Called once when another look is found; says what it is. */
  readonly onWait?: (doing: string) => void;
}

/** One look per process over all workers. */
export type WithTargetLock = <T>(options: TargetLockOptions, fn: (lost: AbortSignal) => Promise<T>) => Promise<T>;

/**
 * Makes the lock on a connection. The returned function runs `fn` while it holds the lock of (host, pid); the signal
 * is aborted as soon as the lock is known to be lost, after which another worker may be looking: end then. Throws
 * LookFailed `busy` when another look does not end in time, `interrupted` when `signal` ends the waiting, else what
 * `fn` throws.
 */
export const targetLock =
  (redis: RedisClient): WithTargetLock =>
  async (options, fn) => {
    const { host, pid, doing, leaseMs = 20_000, waitMs = 90_000, signal, onWait } = options;
    let started = false;
    try {
      return await withLease(
        redis,
        { name: key('lock', host, pid), doing, leaseMs, waitMs, signal, onWait },
        async ({ lost }) => {
          started = true;
          return await fn(lost);
        },
      );
    } catch (error) {
      if (started) throw error;
      if (error instanceof LeaseTaken) {
        throw new LookFailed(
          'busy',
          `Process ${pid} on ${host} is being looked at already (${error.doing}), and that did not end within ` +
            `${Math.round(waitMs / 1000)} s. Ask again when it has.`,
        );
      }
      if (signal?.aborted) {
        if (signal.reason instanceof LookFailed) throw signal.reason;
        throw new LookFailed('interrupted', `The look at ${pid} on ${host} was ended while it waited for another one.`);
      }
      throw error;
    }
  };
