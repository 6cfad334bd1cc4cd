import { z } from 'zod';
import { BadRedisUrl, type RedisPlace, readRedisUrl } from './queue/place.ts';
import { RedisTlsSettings, redisTlsFrom } from './redis-tls.ts';

/** Where Redis is, as the configuration says it. Passwords are in the environment: REDIS_PASSWORD, REDIS_SENTINEL_PASSWORD. */
export const RedisSettings = z.strictObject({
  /** Without a password; REDIS_URL goes before it. */
  url: z.string().min(1).optional(),
  username: z.string().min(1).optional(),
  sentinelUsername: z.string().min(1).optional(),
  tls: RedisTlsSettings.optional(),
});
export type RedisSettings = z.infer<typeof RedisSettings>;

/** A fault in these settings, with where it is. */
export interface RedisFault {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const given = (value: string | undefined): string | undefined => (value === '' ? undefined : value);

/**
 * Where Redis is, by settings and environment together; undefined when nobody says. Relative files are looked for in `base`.
 * Every fault is put into `faults`.
 */
export const redisFrom = (
  settings: RedisSettings,
  env: Environment,
  base: string,
  faults: RedisFault[],
): RedisPlace | undefined => {
  const url = given(env.REDIS_URL) ?? settings.url;
  if (url === undefined) {
    if (Object.keys(settings).length > 0)
      faults.push({ path: [], message: 'says how Redis is reached but not where it is; give url, or set REDIS_URL' });
    return undefined;
  }
  try {
    const place = readRedisUrl(url);
    if (given(env.REDIS_URL) === undefined && place.password !== undefined)
      faults.push({ path: ['url'], message: 'holds a password; put it into REDIS_PASSWORD' });
    const tls =
      settings.tls === undefined
        ? place.tls
        : redisTlsFrom(settings.tls, base, (name, message) =>
            faults.push({ path: name === null ? ['tls'] : ['tls', name], message }),
          );
    return {
      ...place,
      username: settings.username ?? place.username,
      password: given(env.REDIS_PASSWORD) ?? place.password,
      sentinelUsername: settings.sentinelUsername,
      sentinelPassword: given(env.REDIS_SENTINEL_PASSWORD),
      tls,
    };
  } catch (error) {
    if (!(error instanceof BadRedisUrl)) throw error;
    faults.push({ path: settings.url === undefined ? [] : ['url'], message: error.message });
    return undefined;
  }
};
