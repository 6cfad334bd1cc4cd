import type { RedisClient } from './connection.ts';
import { key } from './names.ts';

/**
 * Small facts that all bots share and that outlive each of them: what a button does, which thread an alert has. Each
 * expires by itself. Values are JSON; the reader checks them, for another version may have written them.
 */
export interface Notes {
  /** Null when there is none (any more). */
  readonly get: (kind: string, id: string) => Promise<unknown>;
  readonly set: (kind: string, id: string, value: unknown, seconds: number) => Promise<void>;
  /** Sets it only if there is none. False when there was one: somebody else was first. */
  readonly claim: (kind: string, id: string, value: unknown, seconds: number) => Promise<boolean>;
  /** Raises a number that begins at 0, by 1 or by so much, and returns it. Its time begins with the first raise. */
  readonly count: (kind: string, id: string, seconds: number, by?: number) => Promise<number>;
  readonly remove: (kind: string, id: string) => Promise<void>;
}

const COUNT = `local count = redis.call('INCRBY', KEYS[1], ARGV[2])
if redis.call('TTL', KEYS[1]) < 0 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return count`;

const read = (text: string | null): unknown => (text === null ? null : JSON.parse(text));

/** The notes on a connection. All throw what the connection throws. */
export const notesOn = (redis: RedisClient, quickly: <T>(work: () => Promise<T>) => Promise<T>): Notes => {
  const name = (kind: string, id: string) => key('note', kind, id);
  return {
    get: (kind, id) => quickly(async () => read(await redis.get(name(kind, id)))),
    set: (kind, id, value, seconds) =>
      quickly(async () => void (await redis.set(name(kind, id), JSON.stringify(value), 'EX', seconds))),
    claim: (kind, id, value, seconds) =>
      quickly(async () => (await redis.set(name(kind, id), JSON.stringify(value), 'EX', seconds, 'NX')) === 'OK'),
    count: (kind, id, seconds, by = 1) =>
      quickly(async () => Number(await redis.eval(COUNT, 1, name(kind, id), seconds, by))),
    remove: (kind, id) => quickly(async () => void (await redis.del(name(kind, id)))),
  };
};
