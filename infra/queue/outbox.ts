import { promisify } from 'node:util';
import { deflate, inflate } from 'node:zlib';
import { z } from 'zod';
import type { Log } from '../log.ts';
import { closeRedis, openHurried, QueueUnavailable, untilReady } from './connection.ts';
import { key } from './names.ts';

/** Something that is to be written down for good, waiting for who can. */
export interface OutboxRow {
  /** The same id is the same row: a second one takes the place of the first. */
  readonly id: string;
  /** Milliseconds since 1970; the oldest is taken first. */
  readonly at: number;
  readonly data: unknown;
}

/** Rows over all bots and workers that wait to be written down. Each throws QueueUnavailable. */
export interface Outbox {
  /** False when there is no room for it. `hold` are keys of evidence that must not expire before it is written. */
  readonly put: (row: OutboxRow, hold?: readonly string[]) => Promise<boolean>;
  /** The oldest after so many. */
  readonly oldest: (count: number, after?: number) => Promise<OutboxRow[]>;
  /** They are written; what was held expires a day from now. */
  readonly done: (ids: readonly string[], hold?: readonly string[]) => Promise<void>;
  readonly size: () => Promise<number>;
}

export interface Outboxes {
  /** Answers with their evidence. */
  readonly looks: Outbox;
  /** Small rows: what people said, lines of audit logs. */
  readonly notes: Outbox;
  readonly close: () => Promise<void>;
}

/** How long a row waits at most: longer than a database is away. */
const WAIT_SECONDS = 7 * 24 * 3600;
const AFTERWARDS_SECONDS = 24 * 3600;
const READY_MS = 500;

/** KEYS: order, values. ARGV: id, at, value, how many at most, seconds. */
const PUT = `if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[5])
return 1`;
/** KEYS: order, values. ARGV: first, last. Gives id, value, id, value, … */
const OLDEST = `local ids = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2])
local found = {}
for _, id in ipairs(ids) do
  table.insert(found, id)
  table.insert(found, redis.call('HGET', KEYS[2], id) or '')
end
return found`;
const DONE = `redis.call('ZREM', KEYS[1], unpack(ARGV))
return redis.call('HDEL', KEYS[2], unpack(ARGV))`;

const pack = promisify(deflate);
const unpack = promisify(inflate);
const Packed = z.object({ at: z.number(), data: z.unknown() });

/** A row that cannot be read any more is given without data, so that who takes it can throw it away. */
const rowOf = async (id: string, packed: string): Promise<OutboxRow> => {
  try {
    const text = (await unpack(Buffer.from(packed, 'base64'), { maxOutputLength: 64 * 1024 * 1024 })).toString();
    const { at, data } = Packed.parse(JSON.parse(text));
    return { id, at, data };
  } catch {
    return { id, at: 0, data: null };
  }
};

const outbox = (
  redis: ReturnType<typeof openHurried>,
  quickly: <T>(work: () => Promise<T>) => Promise<T>,
  name: string,
  most: number,
): Outbox => {
  const keys = [key('outbox', name), key('outbox', name, 'values')];
  const expire = async (held: readonly string[], seconds: number) => {
    for (const each of held) await redis.expire(each, seconds);
  };
  return {
    put: async ({ id, at, data }, hold = []) => {
      const packed = (await pack(JSON.stringify({ at, data }))).toString('base64');
      return quickly(async () => {
        if ((await redis.eval(PUT, 2, ...keys, id, at, packed, most, WAIT_SECONDS)) !== 1) return false;
        await expire(hold, WAIT_SECONDS);
        return true;
      });
    },
    oldest: async (count, after = 0) => {
      const found = await quickly(async () =>
        z.array(z.string()).parse(await redis.eval(OLDEST, 2, ...keys, after, after + count - 1)),
      );
      const rows: OutboxRow[] = [];
      for (let at = 0; at + 1 < found.length; at += 2) rows.push(await rowOf(found[at] ?? '', found[at + 1] ?? ''));
      return rows;
    },
    done: (ids, hold = []) =>
      quickly(async () => {
        if (ids.length > 0) await redis.eval(DONE, 2, ...keys, ...ids);
        await expire(hold, AFTERWARDS_SECONDS);
      }),
    size: () => quickly(() => redis.zcard(keys[0] ?? '')),
  };
};

/** How many rows wait at most. */
export interface OutboxLimits {
  readonly looks?: number;
  readonly notes?: number;
}

/** Opens the outboxes on a connection of their own. Redis may be away: what needs it fails clearly. */
export const openOutboxes = (
  redisUrl: Parameters<typeof openHurried>[0],
  log: Log,
  { looks = 2_000, notes = 20_000 }: OutboxLimits = {},
): Outboxes => {
  const redis = openHurried(redisUrl, log);
  const quickly = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      await untilReady(redis, READY_MS);
      return await work();
    } catch (error) {
      throw error instanceof QueueUnavailable ? error : new QueueUnavailable(error);
    }
  };
  return {
    looks: outbox(redis, quickly, 'looks', looks),
    notes: outbox(redis, quickly, 'notes', notes),
    close: () => closeRedis(redis),
  };
};
