import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { type Log, silentLog } from '../../infra/log.ts';
import { type BotQueue, openBotQueue } from '../../infra/queue/bot-side.ts';
import type { RedisAddress } from '../../infra/queue/place.ts';
import { type OwnRedis, startRedis } from '../../infra/queue/redis-server.ts';
import { openWorkerQueue, type WorkerQueue, type WorkerQueueOptions } from '../../infra/queue/worker-side.ts';
import type { Request } from '../../playbooks/model/index.ts';

/** A real Redis of this test's own, ended and removed after it. */
export const redisForTest = async (): Promise<OwnRedis & { folder: string; restart: () => Promise<void> }> => {
  const folder = await mkdtemp(join(tmpdir(), 'straceback-redis-'));
  let redis = await startRedis({ folder });
  onTestFinished(async () => {
    await redis.close();
    await rm(folder, { recursive: true, force: true });
  });
  const { url, port, pid } = redis;
  return {
    url,
    port,
    pid,
    folder,
    close: () => redis.close(),
    /** Starts it again where it was, with the data in the folder. */
    restart: async () => {
      redis = await startRedis({ folder, port });
    },
  };
};

/** The bot's side of a queue, which notices soon that a worker is gone; closed after the test. */
export const botQueueForTest = (redisUrl: RedisAddress, log = silentLog): BotQueue => {
  const bot = openBotQueue({ redisUrl, log, leaseMs: 5_000, stalledCheckMs: 200 });
  onTestFinished(() => bot.close());
  return bot;
};

/** The same, once Redis has answered it: what a test asks first is not refused because the machine is slow. */
export const readyBotQueue = async (redisUrl: RedisAddress, log = silentLog): Promise<BotQueue> => {
  const bot = botQueueForTest(redisUrl, log);
  await expect.poll(() => bot.healthy(), { timeout: 60_000 }).toBe(true);
  return bot;
};

/** A worker's side of a queue, which notices soon that another is gone; closed after the test. */
export const workerQueueForTest = (redisUrl: RedisAddress, change: Partial<WorkerQueueOptions> = {}): WorkerQueue => {
  const worker = openWorkerQueue({
    redisUrl,
    concurrency: 4,
    log: silentLog,
    leaseMs: 5_000,
    stalledCheckMs: 200,
    graceMs: 500,
    ...change,
  });
  onTestFinished(() => worker.close());
  return worker;
};

let last = 0;

/** A request that differs from every other one of this process in its id. */
export const requestForTest = (change: Partial<Request> = {}): Request => {
  last += 1;
  return {
    id: `request-${process.pid}-${last}`,
    host: 'web-7',
    pid: 6325,
    playbook: 'triage',
    allow: ['none', 'slows'],
    origin: { kind: 'slack', team: 'T1', channel: 'C1', user: 'U1', threadTs: '1700000000.000100', via: 'command' },
    requestedAt: 1_700_000_000_000 + last,
    ...change,
  };
};

/** A promise with its ends outside, for things that a callback will bring. */
export const arrival = <T>(): { promise: Promise<T>; arrive: (value: T) => void } => {
  let arrive: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => {
    arrive = resolve;
  });
  return { promise, arrive };
};

/** A log that keeps its lines, for tests that ask what was said. */
export const keptLog = (): Log & { lines: { level: string; fields: object; message: string }[] } => {
  const lines: { level: string; fields: object; message: string }[] = [];
  const at = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message });
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
};

/** Starts a .ts file as a process of its own; killed after the test if it still lives. */
export const startProcess = (file: string, args: readonly string[]) => {
  const loader = fileURLToPath(new URL('./typescript-loader.mjs', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, ['--import', loader, file, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const seen: string[] = [];
  const waiting: { wanted: (line: string) => boolean; found: (line: string) => void }[] = [];
  if (child.stdout) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      seen.push(line);
      for (const each of waiting) if (each.wanted(line)) each.found(line);
    });
  }
  /** Resolves with the first line that starts so, said already or to come. Rejects if the process ends first. */
  const says = (start: string): Promise<string> => {
    const wanted = (line: string) => line.startsWith(start);
    const already = seen.find(wanted);
    if (already !== undefined) return Promise.resolve(already);
    return Promise.race([
      new Promise<string>((found) => waiting.push({ wanted, found })),
      ended.then(() => Promise.reject(new Error(`ended before it said ${start}`))),
    ]);
  };
  return { child, says, ended };
};
