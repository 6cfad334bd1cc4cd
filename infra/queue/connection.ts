import { setTimeout as sleep } from 'node:timers/promises';
import { type Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { type Log, withoutSecrets } from '../log.ts';
import { placeOf, type RedisAddress } from './place.ts';
import { clusterOn, identity, whereabouts } from './redis-options.ts';
import { troubleOf } from './tls.ts';
import { sendTogether } from './together.ts';
import { endsWithin } from './within.ts';

/** A connection to one server, or to a cluster: both take the same commands, and all keys of ours are in one slot. */
export type RedisClient = Redis | Cluster;

/** Redis cannot take the work now. `message` is a sentence for a person. */
export class QueueUnavailable extends Error {
  constructor(cause?: unknown) {
    super('The queue (Redis) does not answer, so nothing could be started. Try again in a minute.', { cause });
    this.name = 'QueueUnavailable';
  }
}

/**
 * What BullMQ's consumers connect by, whose user may wait: commands are kept while Redis is away and sent when it is back,
 * which BullMQ asks of the connections that block (`maxRetriesPerRequest: null`). Comes back within two seconds. Of a
 * cluster it is a client that is not connected yet: BullMQ connects copies of it, or itself.
 */
export const patientOptions = (address: RedisAddress, ending?: AbortSignal) => {
  const place = placeOf(address);
  const retry = (times: number) => (ending?.aborted ? null : Math.min(100 * times, LONGEST_PAUSE_MS));
  if (place.kind === 'cluster') return clusterOn(place, { maxRetriesPerRequest: null }, retry, { lazyConnect: true });
  return {
    ...whereabouts(place, retry),
    ...identity(place),
    maxRetriesPerRequest: null,
    retryStrategy: retry,
  };
};

const LONGEST_PAUSE_MS = 2_000;
/** A server that does not answer within this is not there, ms. */
const SILENT_MS = 1_500;
/** By then a connection that makes one more attempt has made it. */
const COMES_BACK_MS = LONGEST_PAUSE_MS + 1_000;

/** As much of BullMQ's Worker, QueueEvents and Queue as closing them takes. */
interface Closable {
  close(): Promise<void>;
  getBackend(): { readonly client: Promise<Client>; readonly blockingClient?: Promise<Client> | undefined };
}
interface Client {
  readonly status: string;
  readonly isCluster?: boolean;
  once(event: 'end' | 'close', listener: () => void): unknown;
  disconnect(): unknown;
  ping?(): Promise<unknown>;
}

const clientsOf = async (closable: Closable): Promise<Client[]> => {
  const { client, blockingClient } = closable.getBackend();
  const found = await Promise.all([client, blockingClient].map((each) => each?.catch(() => undefined)));
  return found.filter((each) => each !== undefined);
};

/** Resolves when a connection that was lost has given up coming back; never when it is not lost. */
const untilEnded = (client: Client): Promise<void> =>
  client.status === 'end' ? Promise.resolve() : new Promise((resolve) => client.once('end', resolve));

/** A client of a cluster goes on looking for nodes when none is left, and does not say that it is lost: it is asked. */
const untilSilent = async (client: Client): Promise<void> => {
  for (;;) {
    const answered = await endsWithin(client.ping?.() ?? Promise.resolve(), SILENT_MS).catch(() => false);
    if (!answered || client.status === 'end') return;
    await sleep(SILENT_MS, undefined, { ref: false });
  }
};

const untilLost = (client: Client): Promise<void> => {
  if (client.isCluster === true) return untilSilent(client);
  return client.status === 'ready' ? new Promise((resolve) => client.once('close', resolve)) : Promise.resolve();
};

/**
 * Closes one of BullMQ's consumers whose connections were opened with `ending`'s signal. When Redis is away, or goes
 * away in the middle, BullMQ 6 would wait for it for ever: ioredis does not come back from being told to disconnect
 * while it waits for its next attempt. So the connections are told first to make no further attempt; those that are
 * lost are waited for until they have ended, and what then still waits is left, for nothing will answer it.
 */
export const closeConsumer = async (consumer: Closable, ending: AbortController): Promise<void> => {
  ending.abort();
  const clients: Client[] = [];
  await endsWithin(
    clientsOf(consumer).then(async (found) => {
      clients.push(...found);
      if (found.some(({ status }) => status !== 'ready')) await Promise.all(found.map(untilEnded));
    }),
    COMES_BACK_MS,
  );
  const closed = consumer.close().catch(() => undefined);
  const left = Promise.race(clients.map(untilLost)).then(() => endsWithin(closed, COMES_BACK_MS));
  await Promise.race([closed, left]);
  // BullMQ leaves the client of a cluster to who made it.
  for (const client of clients) if (client.isCluster === true && client.status !== 'end') client.disconnect();
};

/** Options for a connection whose user waits for an answer now: fails instead of waiting, sends nothing twice. */
const HURRIED: RedisOptions = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  autoResendUnfulfilledCommands: false,
  commandTimeout: 1_500,
  connectTimeout: 1_500,
  retryStrategy: (times) => Math.min(100 * times, 1_000),
};

const HURRIED_CLUSTER: ClusterOptions = {
  enableOfflineQueue: false,
  // A node that has gone is found out by another one; as long as that takes at most a command is tried again.
  retryDelayOnClusterDown: 100,
  maxRedirections: 8,
};

/** Opens a connection that fails within about two seconds when Redis is away, and comes back by itself. */
export const openHurried = (address: RedisAddress, log: Log): RedisClient => {
  const place = placeOf(address);
  const retry = (times: number) => Math.min(100 * times, 1_000);
  const { enableOfflineQueue: _queue, retryStrategy: _retry, ...forNodes } = HURRIED;
  const redis =
    place.kind === 'cluster'
      ? clusterOn(place, forNodes, retry, HURRIED_CLUSTER)
      : new Redis({ ...whereabouts(place, retry), ...identity(place), ...HURRIED });
  // As many wait for it to be ready as ask while it is away, each for half a second.
  redis.setMaxListeners(10_000);
  sendTogether(redis);
  watchErrors(redis, 'hurried', log);
  return redis;
};

/** Opens a connection that keeps commands while Redis is away; each fails after `commandTimeout` ms if given. */
export const openPatient = (address: RedisAddress, log: Log, commandTimeout?: number): RedisClient => {
  const place = placeOf(address);
  const retry = (times: number) => Math.min(100 * times, LONGEST_PAUSE_MS);
  const within = commandTimeout === undefined ? {} : { commandTimeout };
  const redis =
    place.kind === 'cluster'
      ? clusterOn(place, { maxRetriesPerRequest: null, ...within }, retry, {})
      : new Redis({
          ...whereabouts(place, retry),
          ...identity(place),
          maxRetriesPerRequest: null,
          retryStrategy: retry,
          ...within,
        });
  sendTogether(redis);
  watchErrors(redis, 'patient', log);
  return redis;
};

/** What has an error event that ends the process when nobody listens: ioredis clients and BullMQ's classes. */
interface ErrorSource {
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'ready', listener: () => void): unknown;
}

const REPEAT_AFTER_MS = 10 * 60_000;
/** What was said of connections, by log: a program has a dozen of them, and they all meet the same trouble. */
const saidIn = new WeakMap<Log, Map<string, number>>();

/** Words of a connection that is refused, cut or not answered; the rest is something that a person should see. */
const AWAY =
  /ECONN|ETIMEDOUT|EHOST|ENET|EPIPE|ENOTFOUND|EAI_AGAIN|closed|timed? ?out|sentinels are unreachable|slots cache/i;

/**
 * Listens to errors (without a listener they would end the process) and logs each kind once, over all connections that have
 * this log, until one of them works again; and every ten minutes while it lasts.
 */
export const watchErrors = (source: ErrorSource, name: string, log: Log): void => {
  const said = saidIn.get(log) ?? new Map<string, number>();
  saidIn.set(log, said);
  const away = new Set<string>();
  source.on('error', (error) => {
    const text = withoutSecrets(troubleOf(error) || ('code' in error ? String(error.code) : error.name));
    const gone = AWAY.test(text);
    // What is said of a server that is away differs from one connection to the next, and is one thing.
    const kind = gone ? 'away' : text;
    const now = Date.now();
    if (gone) away.add(kind);
    if (now - (said.get(kind) ?? 0) < REPEAT_AFTER_MS) return;
    if (said.size > 100) said.clear();
    said.set(kind, now);
    if (gone)
      log.warn({ connection: name, error: text }, 'Redis cannot be reached; what needs it waits until it is back');
    else log.warn({ connection: name, error: text }, 'queue connection trouble');
  });
  source.on('ready', () => {
    if (!away.delete('away') || !said.delete('away')) return;
    log.info({ connection: name }, 'Redis is back');
  });
};

/** Waits at most `ms` for a connection to be ready; throws QueueUnavailable when it is not. */
export const untilReady = async (redis: RedisClient, ms: number): Promise<void> => {
  if (redis.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    const settle = (done: () => void) => {
      clearTimeout(timer);
      redis.off('ready', onReady);
      redis.off('end', onEnd);
      done();
    };
    const onReady = () => settle(resolve);
    const onEnd = () => settle(() => reject(new QueueUnavailable()));
    const timer = setTimeout(onEnd, ms);
    redis.once('ready', onReady);
    redis.once('end', onEnd);
  });
};

/** Ends a connection at once when Redis is away, politely otherwise. */
export const closeRedis = async (redis: RedisClient): Promise<void> => {
  if (redis.status === 'ready') {
    try {
      await endsWithin(redis.quit(), 1_000);
    } catch {
      // It went away while saying goodbye; what follows ends our side.
    }
  }
  redis.disconnect();
};
