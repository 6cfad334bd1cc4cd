import { Cluster, type ClusterOptions, type RedisOptions } from 'ioredis';
import type { RedisPlace } from './place.ts';
import { SteadySentinelConnector } from './sentinel.ts';
import { tlsOptions } from './tls.ts';

/**
 * Who we are, to a server of this place. A master that became a replica in a fail-over refuses writes; the connection
 * is then made anew, and what was refused is sent again.
 */
export const identity = ({ username, password, tls }: RedisPlace): RedisOptions => ({
  ...(username === undefined ? {} : { username }),
  ...(password === undefined ? {} : { password }),
  ...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
  reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 2 : false),
});

/** Where the server is: its address, or whom to ask for it, which is asked again after `retry` ms. */
export const whereabouts = (place: RedisPlace, retry: (times: number) => number | null): RedisOptions => {
  const { kind, nodes, master, db, sentinelUsername, sentinelPassword, tls } = place;
  const [first] = nodes;
  if (kind !== 'sentinel') return { host: first?.host ?? '127.0.0.1', port: first?.port ?? 6379, db };
  return {
    sentinels: nodes.map(({ host, port }) => ({ host, port })),
    name: master ?? '',
    db,
    sentinelRetryStrategy: retry,
    // Told by the sentinels of a new master, instead of finding out by a connection that says nothing any more.
    failoverDetector: true,
    Connector: SteadySentinelConnector,
    ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(tls === undefined ? {} : { enableTLSForSentinelMode: true }),
    ...(tls === undefined || tls.sentinels === false ? {} : { sentinelTLS: tlsOptions(tls) }),
  };
};

/** A client of a cluster. `retry`: ms to wait after so many times, null to give up. It connects at once unless `more` says otherwise. */
export const clusterOn = (
  place: RedisPlace,
  redisOptions: RedisOptions,
  retry: (times: number) => number | null,
  more: ClusterOptions,
): Cluster =>
  new Cluster(
    place.nodes.map(({ host, port }) => ({ host, port })),
    {
      // By name, so that a node's certificate can be held against it.
      dnsLookup: (address, callback) => callback(null, address),
      clusterRetryStrategy: retry,
      slotsRefreshTimeout: 2_000,
      redisOptions: { ...identity(place), ...redisOptions },
      ...more,
    },
  );
