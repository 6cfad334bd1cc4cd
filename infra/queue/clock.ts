import type { RedisClient } from './connection.ts';

/** What time it is by Redis's clock (TIME), the one that bots and workers share, ms since 1970. Throws what the connection throws. */
export const clockOf = async (redis: RedisClient): Promise<number> => {
  const [seconds, micros] = await redis.time();
  return Math.round(Number(seconds) * 1000 + Number(micros) / 1000);
};
