import type { RedisClient } from './connection.ts';
import { key } from './names.ts';
import { endsWithin } from './within.ts';

const WORKERS = key('workers');
const EVERY_MS = 5_000;
/** A worker that has not been heard of for this long does not count. */
const ALIVE_MS = 15_000;
const GOODBYE_MS = 1_000;

/** Redis's own clock is used on both sides, so that clocks of hosts may differ. */
const NOW = `local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000);`;
const BEAT = `${NOW} redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ${ALIVE_MS})
redis.call('PEXPIRE', KEYS[1], ${ALIVE_MS}) return 1`;
const COUNT = `${NOW} return redis.call('ZCOUNT', KEYS[1], now - ${ALIVE_MS}, '+inf')`;

/** Lets bots know that a worker is there, until `stop`. Trouble with Redis only makes it look absent. */
export const announceWorker = (redis: RedisClient, who: { id: string; host: string; concurrency: number }) => {
  const member = JSON.stringify(who);
  const beat = () => {
    // While Redis is away beats would only queue up.
    if (redis.status === 'ready' || redis.status === 'connecting')
      void redis.eval(BEAT, 1, WORKERS, member).catch(() => {});
  };
  beat();
  const timer = setInterval(beat, EVERY_MS);
  return {
    stop: async (): Promise<void> => {
      clearInterval(timer);
      // Redis may go away in this very moment, and the command would wait for it to come back.
      if (redis.status === 'ready')
        await endsWithin(
          redis.zrem(WORKERS, member).catch(() => {}),
          GOODBYE_MS,
        );
    },
  };
};

/** How many workers have been heard of lately. */
export const countWorkers = async (redis: RedisClient): Promise<number> => Number(await redis.eval(COUNT, 1, WORKERS));
