import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Queue, QueueEvents, Worker } from 'bullmq';
import { silentLog } from '../../infra/log.ts';
import { openBotQueue } from '../../infra/queue/bot-side.ts';
import { openPatient, patientOptions } from '../../infra/queue/connection.ts';
import { KEPT } from '../../infra/queue/keep.ts';
import { startRedis } from '../../infra/queue/redis-server.ts';
import type { Request } from '../../playbooks/model/index.ts';
import { processFigures } from './process-figures.ts';
import { nodeArguments } from './program.ts';
import type { Print } from './run.ts';
import { numberFrom } from './settings.ts';

const LOOKS = numberFrom('STRACEBACK_BENCH_LOOKS', 4_000);
const CONCURRENCY = 100;
const WORKERS = [1, 2, 4].filter((count) => count <= numberFrom('STRACEBACK_BENCH_WORKERS', 4));

type Kind = 'looks' | 'plain' | 'hop';

/** Starts worker processes and waits until all are ready. */
const startWorkers = async (kind: Kind, redisUrl: string, count: number) => {
  const children = Array.from({ length: count }, () =>
    spawn(process.execPath, [...nodeArguments('tests/bench/queue-worker'), kind, redisUrl, String(CONCURRENCY)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  );
  const ended = children.map((child) => once(child, 'exit'));
  await Promise.all(
    children.map((child, index) =>
      Promise.race([
        once(child.stdout, 'data'),
        ended[index]?.then(() => Promise.reject(new Error('a worker process ended'))),
      ]),
    ),
  );
  return {
    go: () => {
      for (const child of children) child.stdin.write('go\n');
    },
    /** Processor seconds of all of them since they began. */
    cpu: async () => {
      const figures = await Promise.all(children.map((child) => processFigures(child.pid ?? 0)));
      return figures.reduce((sum, { cpu }) => sum + cpu, 0);
    },
    close: async () => {
      for (const child of children) child.stdin.end();
      await Promise.all(ended);
    },
  };
};

const requestOf = (number: number): Request => ({
  id: `request-${number}`,
  host: `web-${number % 1_000}`,
  pid: 1_000 + number,
  playbook: 'triage',
  allow: ['none', 'slows'],
  origin: { kind: 'slack', team: 'T1', channel: 'C1', user: 'U1', threadTs: `${number}.000100`, via: 'command' },
  requestedAt: 1_700_000_000_000,
});

/** Puts all, some hundreds at a time as many bots would. */
const putAll = async (looks: number, put: (number: number) => Promise<unknown>): Promise<void> => {
  for (let first = 0; first < looks; first += 500) {
    const batch = Array.from({ length: Math.min(500, looks - first) }, (_, index) => put(first + index));
    await Promise.all(batch);
  }
};

/** Redis's own counts: commands and processor seconds since it started (INFO), and its memory, MiB. */
export const redisCosts = async (url: string) => {
  const redis = openPatient(url, silentLog);
  try {
    const info = String(await redis.call('INFO', 'everything'));
    const field = (name: string) => Number(new RegExp(`^${name}:([0-9.]+)`, 'm').exec(info)?.[1]);
    return {
      commands: [...info.matchAll(/^cmdstat_[^:]+:calls=(\d+)/gm)].reduce((sum, [, calls]) => sum + Number(calls), 0),
      cpu: field('used_cpu_user') + field('used_cpu_sys'),
      memory: field('used_memory') / 2 ** 20,
    };
  } finally {
    redis.disconnect();
  }
};

/** What so many looks came to. */
export interface QueueCosts {
  readonly perSecond: number;
  readonly commandsEach: number;
  readonly redisMsEach: number;
  /** Processor time of all workers together, and of this process, which is the bot, ms a look. */
  readonly workersMsEach: number;
  readonly botMsEach: number;
  readonly memory: number;
  readonly empty: number;
}

/** The bot's side: puts the requests, and takes the answers, which it does nothing with. */
const botSide = async (url: string, looks: number) => {
  const bot = openBotQueue({ redisUrl: url, log: silentLog });
  await putAll(looks, (number) => bot.enqueue(requestOf(number)));
  let answers = 0;
  let all = () => {};
  const answered = new Promise<void>((resolve) => {
    all = resolve;
  });
  bot.onAnswer(async () => {
    answers += 1;
    if (answers === looks) all();
  });
  return { answered: () => answered, close: bot.close };
};

/** What stands in for the bot beside plain BullMQ: jobs that were put, and their ends, or their answers, counted. */
const plainSide = async (kind: Exclude<Kind, 'looks'>, url: string, looks: number) => {
  const connection = patientOptions(url);
  const queue = new Queue('plain', { connection });
  await putAll(looks, (number) => queue.add('look', requestOf(number), { jobId: `look-${number}` }));
  let ends = 0;
  let all = () => {};
  const answered = new Promise<void>((resolve) => {
    all = resolve;
  });
  const count = () => {
    ends += 1;
    if (ends === looks) all();
  };
  const counting =
    kind === 'hop'
      ? new Worker('plain-answers', async () => count(), {
          connection,
          concurrency: 20,
          ...KEPT,
        })
      : new QueueEvents('plain', { connection }).on('completed', count);
  await counting.waitUntilReady();
  return {
    answered: () => answered,
    close: async () => {
      await counting.close();
      await queue.close();
    },
  };
};

/**
 * Measures `looks` looks of a kind with so many worker processes and a Redis of their own, filled before the workers begin, so
 * that they never wait for work; from then to the last answer.
 */
export const queueCosts = async (kind: Kind, workers: number, looks: number): Promise<QueueCosts> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-bench-'));
  const redis = await startRedis({ folder });
  const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true }), redis.close];
  try {
    const { memory: empty } = await redisCosts(redis.url);
    const side = await (kind === 'looks' ? botSide(redis.url, looks) : plainSide(kind, redis.url, looks));
    closers.push(side.close);
    const before = await redisCosts(redis.url);
    const processes = await startWorkers(kind, redis.url, workers);
    closers.push(processes.close);
    const workersBefore = await processes.cpu();
    const botBefore = process.cpuUsage();
    processes.go();
    const began = performance.now();
    await side.answered();
    const seconds = (performance.now() - began) / 1000;
    const bot = process.cpuUsage(botBefore);
    const workersAfter = await processes.cpu();
    const after = await redisCosts(redis.url);
    return {
      perSecond: looks / seconds,
      commandsEach: (after.commands - before.commands) / looks,
      redisMsEach: ((after.cpu - before.cpu) * 1000) / looks,
      workersMsEach: ((workersAfter - workersBefore) * 1000) / looks,
      botMsEach: (bot.user + bot.system) / 1000 / looks,
      memory: after.memory,
      empty,
    };
  } finally {
    for (const close of closers.reverse()) await close();
  }
};

/** What limits the rate where the cores are shared by all parts, ms. */
const inAll = ({ redisMsEach, workersMsEach, botMsEach }: QueueCosts): number =>
  redisMsEach + workersMsEach + botMsEach;

/**
 * Looks that do nothing, from the bot's side through workers and back, beside BullMQ alone: `plain` does nothing with a job,
 * `hop` puts an answer that somebody else takes, kept as long as ours, which is the least that a request with an answer can be. With
 * fewer cores than processes a rate is that of the cores; processor time is of the queue.
 */
export const run = async (print: Print): Promise<void> => {
  for (const workers of WORKERS) {
    const name = `${workers} worker process${workers === 1 ? '' : 'es'}`;
    const plain = await queueCosts('plain', workers, LOOKS);
    const hop = await queueCosts('hop', workers, LOOKS);
    const looks = await queueCosts('looks', workers, LOOKS);
    print('queue', `${name}: BullMQ alone`, plain.perSecond, 'jobs a second');
    print('queue', `${name}: BullMQ alone, with an answer`, hop.perSecond, 'jobs a second');
    print('queue', `${name}: looks that do nothing`, looks.perSecond, 'looks a second');
    print('queue', `${name}: looks, of BullMQ with an answer`, (100 * looks.perSecond) / hop.perSecond, '%');
    for (const [what, cost] of [
      ['BullMQ alone', plain],
      ['BullMQ alone, with an answer', hop],
      ['looks that do nothing', looks],
    ] as const) {
      print('queue', `${name}: ${what}: commands of Redis`, cost.commandsEach, 'each');
      print('queue', `${name}: ${what}: processor of Redis`, cost.redisMsEach, 'ms each');
      print('queue', `${name}: ${what}: processor of workers`, cost.workersMsEach, 'ms each');
      print('queue', `${name}: ${what}: processor of the bot`, cost.botMsEach, 'ms each');
      print('queue', `${name}: ${what}: processor in all`, inAll(cost), 'ms each');
    }
    print('queue', `${name}: looks, of BullMQ with an answer, by processor`, (100 * inAll(hop)) / inAll(looks), '%');
    print('queue', `${name}: memory of Redis for ${LOOKS} looks`, looks.memory - looks.empty, 'MiB');
  }
};
