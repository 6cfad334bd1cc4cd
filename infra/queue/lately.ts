import { z } from 'zod';
import type { RedisClient } from './connection.ts';
import { key } from './names.ts';

/** A look that has ended, as a list of such shows it. */
export const RecentLook = z.object({
  requestId: z.string(),
  host: z.string(),
  pid: z.number(),
  playbook: z.string(),
  channel: z.string(),
  threadTs: z.string(),
  /** Who asked for it. */
  user: z.string().optional(),
  /** When it was asked for, milliseconds since 1970. */
  at: z.number(),
  state: z.enum(['fault', 'healthy', 'unclear', 'failed', 'cancelled']),
  /** The cause of the headline, or null. */
  cause: z.string().nullable(),
  /** Why there is no report; null when there is one. */
  failure: z.string().nullable(),
});
export type RecentLook = z.infer<typeof RecentLook>;

/** What was last found of a host itself: whether it can be reached, and what is missing on it. */
export const HostState = z.object({
  host: z.string(),
  /** Milliseconds since 1970. */
  at: z.number(),
  reachable: z.boolean(),
  /** One line for a person. */
  words: z.string(),
});
export type HostState = z.infer<typeof HostState>;

/** What workers write down of hosts. Each throws what Redis throws. */
export interface HostRecord {
  readonly tell: (state: HostState) => Promise<void>;
  /** What was told last; null when nothing is known. */
  readonly last: (host: string) => Promise<HostState | null>;
  /** Whether this host is to be examined now: true once in so many seconds over all workers. */
  readonly due: (host: string, everySeconds: number) => Promise<boolean>;
}

/** The newest so many of something, over all bots and workers. Expires as a whole when nothing is put for a while. */
export interface Lately<T> {
  /** The same id again takes the place of the old one. `at` in ms orders them. */
  readonly put: (id: string, at: number, value: T) => Promise<void>;
  /** Newest first. What another version wrote and this one cannot read is left out. */
  readonly newest: (count: number) => Promise<T[]>;
}

const KEEP_SECONDS = 30 * 24 * 3600;

/** KEYS: order, values. ARGV: id, at, value, how many to keep, seconds. */
const PUT = `redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1 - tonumber(ARGV[4]))) do
  redis.call('ZREM', KEYS[1], id)
  redis.call('HDEL', KEYS[2], id)
end
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[5])
return 1`;
const NEWEST = `local ids = redis.call('ZREVRANGE', KEYS[1], 0, ARGV[1] - 1)
if #ids == 0 then return {} end
return redis.call('HMGET', KEYS[2], unpack(ids))`;

type Way = <T>(work: () => Promise<T>) => Promise<T>;

const lately = <T>(redis: RedisClient, way: Way, name: string, most: number, shape: z.ZodType<T>): Lately<T> => {
  const keys = [key('lately', name), key('lately', name, 'values')];
  return {
    put: (id, at, value) =>
      way(async () => void (await redis.eval(PUT, 2, ...keys, id, at, JSON.stringify(value), most, KEEP_SECONDS))),
    newest: (count) =>
      way(async () => {
        const texts = z.array(z.string().nullable()).parse(await redis.eval(NEWEST, 2, ...keys, count));
        return texts.flatMap((text) => {
          const value = text === null ? undefined : shape.safeParse(JSON.parse(text)).data;
          return value === undefined ? [] : [value];
        });
      }),
  };
};

/** The looks that ended lately. `way` runs what is asked of Redis, and each throws what it throws. */
export const recentLooks = (redis: RedisClient, way: Way): Lately<RecentLook> =>
  lately(redis, way, 'looks', 100, RecentLook);

/** The hosts that were reached, or not, lately. */
export const hostStates = (redis: RedisClient, way: Way): Lately<HostState> =>
  lately(redis, way, 'hosts', 500, HostState);

/** The workers' side of what is known of hosts. */
export const hostRecord = (redis: RedisClient): HostRecord => {
  const states = hostStates(redis, (work) => work());
  return {
    tell: (state) => states.put(state.host, state.at, state),
    last: async (host) => {
      const text = await redis.hget(key('lately', 'hosts', 'values'), host);
      return text === null ? null : (HostState.safeParse(JSON.parse(text)).data ?? null);
    },
    due: async (host, everySeconds) =>
      (await redis.set(key('host-examined', host), '1', 'EX', everySeconds, 'NX')) === 'OK',
  };
};
