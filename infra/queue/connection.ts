import { Redis, type RedisOptions } from 'ioredis';
import { type Log, withoutSecrets } from '../log.ts';
import { endsWithin } from './within.ts';

/** Redis cannot take the work now. `message` is a sentence for a person. */
export class QueueUnavailable extends Error {
  constructor(cause?: unknown) {
    super('The queue (Redis) does not answer, so nothing could be started. Try again in a minute.', { cause });
    this.name = 'QueueUnavailable';
  }
}

/**
 * Options for a connection whose user may wait: commands are kept while Redis is away and sent when it is back,
 * which BullMQ asks of the connections that block (`maxRetriesPerRequest: null`). Comes back within two seconds.
 */
export const patientOptions = (redisUrl: string, ending?: AbortSignal) => ({
  url: redisUrl,
  maxRetriesPerRequest: null,
  retryStrategy: (times: number) => (ending?.aborted ? null : Math.min(100 * times, LONGEST_PAUSE_MS)),
});

const LONGEST_PAUSE_MS = 2_000;
/** By then a connection that makes one more attempt has made it. */
const COMES_BACK_MS = LONGEST_PAUSE_MS + 1_000;

/** As much of BullMQ's Worker, QueueEvents and Queue as closing them takes. */
interface Closable {
  close(): Promise<void>;
  getBackend(): { readonly client: Promise<Client>; readonly blockingClient?: Promise<Client> | undefined };
}
interface Client {
  readonly status: string;
  once(event: 'end' | 'close', listener: () => void): unknown;
}

const clientsOf = async (closable: Closable): Promise<Client[]> => {
  const { client, blockingClient } = closable.getBackend();
  const found = await Promise.all([client, blockingClient].map((each) => each?.catch(() => undefined)));
  return found.filter((each) => each !== undefined);
};

/** Resolves when a connection that was lost has given up coming back; never when it is not lost. */
const untilEnded = (client: Client): Promise<void> =>
  client.status === 'end' ? Promise.resolve() : new Promise((resolve) => client.once('end', resolve));

const untilLost = (client: Client): Promise<void> =>
  client.status === 'ready' ? new Promise((resolve) => client.once('close', resolve)) : Promise.resolve();

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

/** Opens a connection that fails within about two seconds when Redis is away, and comes back by itself. */
export const openHurried = (redisUrl: string, log: Log): Redis => {
  const redis = new Redis(redisUrl, HURRIED);
  // As many wait for it to be ready as ask while it is away, each for half a second.
  redis.setMaxListeners(10_000);
  watchErrors(redis, 'hurried', log);
  return redis;
};

/** Opens a connection that keeps commands while Redis is away; each fails after `commandTimeout` ms if given. */
export const openPatient = (redisUrl: string, log: Log, commandTimeout?: number): Redis => {
  const { url, ...options } = patientOptions(redisUrl);
  const redis = new Redis(url, { ...options, ...(commandTimeout === undefined ? {} : { commandTimeout }) });
  watchErrors(redis, 'patient', log);
  return redis;
};

/** What has an error event that ends the process when nobody listens: ioredis clients and BullMQ's classes. */
interface ErrorSource {
  on(event: 'error', listener: (error: Error) => void): unknown;
}

const REPEAT_AFTER_MS = 30_000;

/** Listens to errors (without a listener they would end the process) and logs each kind at most twice a minute. */
export const watchErrors = (source: ErrorSource, name: string, log: Log): void => {
  const logged = new Map<string, number>();
  source.on('error', (error) => {
    const text = withoutSecrets(error.message || ('code' in error ? String(error.code) : error.name));
    const now = Date.now();
    if (now - (logged.get(text) ?? 0) < REPEAT_AFTER_MS) return;
    if (logged.size > 100) logged.clear();
    logged.set(text, now);
    log.warn({ connection: name, error: text }, 'queue connection trouble');
  });
};

/** Waits at most `ms` for a connection to be ready; throws QueueUnavailable when it is not. */
export const untilReady = async (redis: Redis, ms: number): Promise<void> => {
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
export const closeRedis = async (redis: Redis): Promise<void> => {
  if (redis.status === 'ready') {
    try {
      await endsWithin(redis.quit(), 1_000);
    } catch {
      // It went away while saying goodbye; what follows ends our side.
    }
  }
  redis.disconnect();
};
