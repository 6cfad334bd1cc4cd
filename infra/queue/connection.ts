import { Redis, type RedisOptions } from 'ioredis';
import { type Log, withoutSecrets } from '../log.ts';

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

/** As much of BullMQ's Worker and QueueEvents as closing them takes. */
interface Consumer {
  close(): Promise<void>;
  getBackend(): { readonly client: Promise<Client>; readonly blockingClient?: Promise<Client> | undefined };
}
interface Client {
  readonly status: string;
  once(event: 'end', listener: () => void): unknown;
}

const untilEnded = async (coming: Promise<Client> | undefined): Promise<void> => {
  const client = await coming?.catch(() => undefined);
  if (client !== undefined && client.status !== 'end') {
    await new Promise<void>((resolve) => client.once('end', resolve));
  }
};

/**
 * Closes one of BullMQ's consumers whose connections were opened with `ending`'s signal. While Redis is away BullMQ 6
 * would wait for it for ever, so the connections are first told not to come back.
 */
export const closeConsumer = async (consumer: Consumer, isAway: boolean, ending: AbortController): Promise<void> => {
  if (isAway) {
    ending.abort();
    const { client, blockingClient } = consumer.getBackend();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LONGEST_PAUSE_MS + 1_000);
    });
    await Promise.race([Promise.all([untilEnded(client), untilEnded(blockingClient)]), late]);
    clearTimeout(timer);
  }
  await consumer.close();
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
      await Promise.race([redis.quit(), new Promise((resolve) => setTimeout(resolve, 1_000).unref())]);
    } catch {
      // It went away while saying goodbye; what follows ends our side.
    }
  }
  redis.disconnect();
};
