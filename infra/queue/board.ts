import { createServer } from 'node:http';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import { Queue } from 'bullmq';
import { BadConfig } from '../config.ts';
import { boardGuard } from '../health/board-guard.ts';
import { MOST_CONNECTIONS, SERVER_LIMITS } from '../health/http-guard.ts';
import type { BoardConfig } from '../health/settings.ts';
import { type Log, withoutSecrets } from '../log.ts';
import { closeRedis, openHurried, watchErrors } from './connection.ts';
import { PREFIX, QUEUES } from './names.ts';
import type { RedisAddress } from './place.ts';

/** Names under which nothing is that somebody said, that a host holds, or that lets somebody in. */
const PLAIN = new Set([
  'id',
  'kind',
  'requestId',
  'errand',
  'playbook',
  'pid',
  'host',
  'allow',
  'at',
  'requestedAt',
  'windowSeconds',
  'outcome',
  'failure',
  'code',
  'percent',
  'seconds',
  'probes',
  'progress',
  'request',
  'answer',
  'origin',
  'order',
]);

const DEEP = 5;

/** What of a message is shown: its ids and kinds. Everything else may be a person's words, evidence or a way into Slack. */
const redacted = (value: unknown, depth = 0): unknown => {
  if (typeof value === 'string') return withoutSecrets(value).slice(0, 200);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEEP) return '[hidden]';
  if (Array.isArray(value)) return value.slice(0, 50).map((each) => redacted(each, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, PLAIN.has(name) ? redacted(each, depth + 1) : '[hidden]']),
  );
};

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Jobs as they may be shown: without reasons and options, which hold whatever an error said. */
class RedactedAdapter extends BullMQAdapter {
  constructor(queue: Queue) {
    super(queue, { readOnlyMode: true, allowRetries: false });
    this.setFormatter('data', (data) => redacted(data));
    this.setFormatter('returnValue', () => undefined);
    this.setFormatter('progress', (progress) => (typeof progress === 'number' ? progress : redacted(progress)));
  }
  override async getJob(id: string) {
    const job = await super.getJob(id);
    return job === undefined || job === null ? job : withoutWords(job);
  }
  override async getJobs(...args: Parameters<BullMQAdapter['getJobs']>) {
    return (await super.getJobs(...args)).map((job) => withoutWords(job));
  }
  override async getJobLogs(): Promise<string[]> {
    return [];
  }
  override async getRedisInfo(): Promise<string> {
    return '';
  }
}

const withoutWords = <T extends { toJSON: () => object }>(job: T): T => {
  const view: T = Object.create(job);
  view.toJSON = () => {
    const whole: unknown = job.toJSON();
    if (!isObject(whole)) return {};
    const { failedReason, stacktrace: _stack, opts, ...rest } = whole;
    const attempts = isObject(opts) ? { attempts: opts.attempts, delay: opts.delay } : {};
    return {
      ...rest,
      stacktrace: [],
      opts: attempts,
      ...(failedReason === undefined ? {} : { failedReason: 'see the log' }),
    };
  };
  return view;
};

/** What the page would fetch from other sites: its letters. Browsers have their own. */
const ELSEWHERE = /<link[^>]+href="https:[^>]*>/g;

/** Shows the queues to who knows the password; nothing can be changed there. Throws BadConfig for an address that is taken. */
export const startBoard = async (
  board: BoardConfig,
  redisUrl: RedisAddress,
  log: Log,
): Promise<{ readonly port: number; readonly close: () => Promise<void> }> => {
  const redis = openHurried(redisUrl, log);
  const queues = QUEUES.map((name) => {
    const queue = new Queue(name, {
      connection: redis,
      prefix: PREFIX,
      skipVersionCheck: true,
      skipWaitingForReady: true,
      skipMetasUpdate: true,
    });
    watchErrors(queue, name, log);
    return queue;
  });
  const express = new ExpressAdapter();
  createBullBoard({
    queues: queues.map((queue) => new RedactedAdapter(queue)),
    serverAdapter: express,
    options: { uiConfig: { boardTitle: 'Straceback', hideRedisDetails: true } },
  });
  const app = express.getRouter();
  // Or an error's answer would hold its stack.
  app.set('env', 'production').disable('x-powered-by');
  const render = app.engines['.ejs'];
  app.engine('ejs', (file: string, options: object, done: (error: unknown, page?: string) => void) =>
    render(file, options, (error: unknown, page?: string) => done(error, page?.replace(ELSEWHERE, ''))),
  );
  const server = createServer(SERVER_LIMITS, boardGuard(board, app, log));
  server.maxConnections = MOST_CONNECTIONS;
  const end = async () => {
    await Promise.all(queues.map((queue) => queue.close().catch(() => undefined)));
    await closeRedis(redis);
  };
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) =>
        reject(new BadConfig([`Cannot show the board at ${board.address}, port ${board.port}: ${error.message}`])),
      );
      server.listen({ port: board.port, host: board.address }, () => resolve());
    });
  } catch (error) {
    await end();
    throw error;
  }
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : board.port;
  log.info({ address: board.address, port }, 'the queues are shown on the board');
  return {
    port,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await end();
    },
  };
};
