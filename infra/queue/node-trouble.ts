import { Redis } from 'ioredis';
import type { Node, RedisPlace } from './place.ts';
import { identity } from './redis-options.ts';
import { endsWithin } from './within.ts';

/** Why one node cannot be talked to, asked on a connection of its own, which is made once. */
const troubleOfNode = async (place: RedisPlace, { host, port }: Node, ms: number): Promise<Error | null> => {
  const { kind, sentinelUsername: username, sentinelPassword: password, tls } = place;
  const watcher = { ...place, username, password, tls: tls?.sentinels === false ? undefined : tls };
  const redis = new Redis({
    ...identity(kind === 'sentinel' ? watcher : place),
    host,
    port,
    lazyConnect: true,
    connectTimeout: ms,
    commandTimeout: ms,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let trouble: Error | null = null;
  redis.on('error', (error) => {
    trouble ??= error;
  });
  await endsWithin(
    redis
      .connect()
      .then(() => redis.ping())
      .catch((error: Error) => {
        trouble ??= error;
      }),
    ms,
  );
  redis.disconnect();
  return trouble;
};

/** Why none of a place's nodes or sentinels can be talked to; null when one can, or says nothing within `ms`. */
export const troubleOfNodes = async (place: RedisPlace, ms: number): Promise<Error | null> => {
  const troubles = await Promise.all(place.nodes.map((node) => troubleOfNode(place, node, ms)));
  return troubles.includes(null) ? null : (troubles[0] ?? null);
};
