import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { RedisClient } from './connection.ts';
import { script } from './script.ts';

/**
 * Renews a lease that is still ours. One that is gone (Redis lost it in a restart) is taken again, unless somebody
 * else has: then it is lost.
 */
const RENEW = script(`local held = redis.call('GET', KEYS[1])
if held == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if held == false then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1 end
return 0`);
/** Gives a lease back only if it is still ours: whoever took over after it ran out is left alone. */
const RELEASE = script(`if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`);

const Holder = z.object({ token: z.string(), doing: z.string() });

/** How somebody asks to be the only one. */
export interface LeaseOptions {
  readonly name: string;
  /** What the holder does, for those who wait. */
  readonly doing: string;
  /** How long the lease outlives a holder that died, ms. It is renewed three times in this while the holder lives. */
  readonly leaseMs: number;
  /** How long to wait for another holder, ms. */
  readonly waitMs: number;
  /** Ends the waiting early. */
  readonly signal?: AbortSignal | undefined;
  /**
   * For who is known to be alone for as long as a lease anyway: it is taken only when a third of that has passed, as it is renewed
   * then, and Redis need not be asked about work that has ended by that time.
   */
  readonly late?: boolean | undefined;
  /** Called once when another holder is found; says what it does. */
  readonly onWait?: ((doing: string) => void) | undefined;
}

/** A lease that is held. */
export interface Lease {
  /** Aborted as soon as it is known to be lost. */
  readonly lost: AbortSignal;
}

/** Somebody else held the lease for the whole wait. */
export class LeaseTaken extends Error {
  readonly doing: string;
  constructor(doing: string) {
    super(`held by another: ${doing}`);
    this.name = 'LeaseTaken';
    this.doing = doing;
  }
}

const POLL_MS = 300;

const doingOf = (value: string | null): string => {
  try {
    return Holder.parse(JSON.parse(value ?? '')).doing;
  } catch {
    return 'another one';
  }
};

const acquire = async (redis: RedisClient, options: LeaseOptions, value: string): Promise<void> => {
  const { name, leaseMs, waitMs, signal, onWait } = options;
  const until = Date.now() + waitMs;
  let told = false;
  for (;;) {
    if ((await redis.set(name, value, 'PX', leaseMs, 'NX')) === 'OK') return;
    const current = await redis.get(name);
    // A SET whose reply was lost with the connection is sent again and finds its own value.
    if (current === value) return;
    const left = until - Date.now();
    if (current !== null) {
      if (!told) onWait?.(doingOf(current));
      told = true;
      if (left <= 0) throw new LeaseTaken(doingOf(current));
    }
    await sleep(Math.min(POLL_MS, Math.max(1, left)), undefined, signal === undefined ? {} : { signal });
  }
};

/**
 * Runs `fn` as the only holder of the lease over all processes on one Redis. `lost` is aborted as soon as the
 * lease is known to be lost, after which somebody else may hold it. Throws LeaseTaken when it is not free in time,
 * an AbortError when `signal` ends the waiting, Redis's error when Redis is away, else what `fn` throws.
 */
export const withLease = async <T>(
  redis: RedisClient,
  options: LeaseOptions,
  fn: (lease: Lease) => Promise<T>,
): Promise<T> => {
  const { name, leaseMs, late = false } = options;
  const value = JSON.stringify({ token: randomUUID(), doing: options.doing } satisfies z.infer<typeof Holder>);
  if (!late) await acquire(redis, options, value);
  let asked = !late;
  const losing = new AbortController();
  const lease: Lease = {
    // A signal is dear, and most who hold a lease ask for none.
    get lost() {
      return losing.signal;
    },
  };
  let heldUntil = Date.now() + leaseMs;
  const renew = async () => {
    const since = Date.now();
    asked = true;
    try {
      if ((await RENEW(redis, [name], value, leaseMs)) === 1) heldUntil = since + leaseMs;
      else losing.abort();
    } catch {
      // Redis is away for the moment; the watch below decides.
    }
  };
  const renewing = setInterval(() => void renew(), leaseMs / 3);
  const watching = setInterval(() => {
    if (Date.now() > heldUntil) losing.abort();
  }, leaseMs / 6);
  try {
    return await fn(lease);
  } finally {
    clearInterval(renewing);
    clearInterval(watching);
    // Without Redis the lease runs out by itself.
    if (asked) await RELEASE(redis, [name], value).catch(() => undefined);
  }
};
