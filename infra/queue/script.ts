import { createHash } from 'node:crypto';
import type { RedisClient } from './connection.ts';

/** Runs a script on keys of ours, which are all in one slot. Throws what the connection throws. */
export type Script = (redis: RedisClient, keys: readonly string[], ...args: (string | number)[]) => Promise<unknown>;

/**
 * A script in Redis's Lua. It is sent by its sum and, where the server does not know it (it was restarted, or is another one),
 * once as a whole (EVALSHA). A script is one way to Redis and back, and dear only to write: ioredis's transactions and pipelines
 * copy all commands there are into each of them, which is more work than the rest of it.
 */
export const script = (lua: string): Script => {
  const sum = createHash('sha1').update(lua).digest('hex');
  return async (redis, keys, ...args) => {
    try {
      return await redis.evalsha(sum, keys.length, ...keys, ...args);
    } catch (error) {
      // Nothing of it was run then.
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return await redis.eval(lua, keys.length, ...keys, ...args);
    }
  };
};
