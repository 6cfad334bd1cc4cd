import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { BadRedisUrl, type RedisPlace, type RedisTls, readRedisUrl } from './queue/place.ts';

/** Where Redis is, as the configuration says it. Passwords are in the environment: REDIS_PASSWORD, REDIS_SENTINEL_PASSWORD. */
export const RedisSettings = z.strictObject({
  /** Without a password; REDIS_URL goes before it. */
  url: z.string().min(1).optional(),
  username: z.string().min(1).optional(),
  sentinelUsername: z.string().min(1).optional(),
  /** PEM files, and the name in the server's certificate where it is not the one that is connected to. */
  tls: z
    .strictObject({
      ca: z.string().min(1).optional(),
      cert: z.string().min(1).optional(),
      key: z.string().min(1).optional(),
      serverName: z.string().min(1).optional(),
    })
    .optional(),
});
export type RedisSettings = z.infer<typeof RedisSettings>;

/** A fault in these settings, with where it is. */
export interface RedisFault {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const given = (value: string | undefined): string | undefined => (value === '' ? undefined : value);

/** The files' texts. */
const tlsFrom = (
  { ca, cert, key, serverName }: NonNullable<RedisSettings['tls']>,
  base: string,
  faults: RedisFault[],
): RedisTls => {
  const read = (name: string, file: string | undefined): string | undefined => {
    if (file === undefined) return undefined;
    try {
      return readFileSync(path.resolve(base, file), 'utf8');
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      faults.push({ path: ['tls', name], message: `cannot be read (${why})` });
      return undefined;
    }
  };
  if ((cert === undefined) !== (key === undefined))
    faults.push({ path: ['tls'], message: 'a client certificate needs both cert and key' });
  return { ca: read('ca', ca), cert: read('cert', cert), key: read('key', key), servername: serverName };
};

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
    const tls = settings.tls === undefined ? place.tls : tlsFrom(settings.tls, base, faults);
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
