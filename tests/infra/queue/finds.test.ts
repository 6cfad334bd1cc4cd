import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../infra/log.ts';
import { type BotQueue, openBotQueue } from '../../../infra/queue/bot-side.ts';
import { QueueUnavailable } from '../../../infra/queue/connection.ts';
import type { FindHandler } from '../../../infra/queue/finds.ts';
import type { Intake } from '../../../infra/queue/messages.ts';
import { openWorkerQueue } from '../../../infra/queue/worker-side.ts';
import { type Found, LookFailed } from '../../../playbooks/model/index.ts';
import { arrival, redisForTest, startProcess } from '../../support/queue.ts';

const FIND_PROCESS = fileURLToPath(new URL('./find-process.ts', import.meta.url));
const FIND = {
  id: 'find-1',
  host: 'web-7',
  selector: { kind: 'port' as const, port: 8080 },
  handTo: { errand: 'picked', data: { channel: 'C1' } },
};
const NONE: Found = {
  kind: 'found',
  host: 'web-7',
  selector: FIND.selector,
  candidates: [],
  total: 0,
  pick: null,
  likely: null,
  how: '',
  near: 'Nothing listens.',
  partly: [],
};

const botFor = (redisUrl: string): BotQueue => {
  const bot = openBotQueue({ redisUrl, log: silentLog, leaseMs: 5_000, stalledCheckMs: 200 });
  onTestFinished(() => bot.close());
  return bot;
};

const workerFor = (redisUrl: string, handler: FindHandler) => {
  const worker = openWorkerQueue({ redisUrl, concurrency: 2, log: silentLog, leaseMs: 1_000, stalledCheckMs: 200 });
  onTestFinished(() => worker.close());
  worker.find(handler);
  return worker;
};

/** The errands that come, and the first of them. */
const errandsOf = (bot: BotQueue) => {
  const all: Intake[] = [];
  const first = arrival<Intake>();
  bot.onIntake(async (intake) => {
    all.push(intake);
    first.arrive(intake);
  });
  return { all, first: first.promise };
};

test('a find comes back as the errand that it names, with the answer in its data, once', async () => {
  const redis = await redisForTest();
  const bot = botFor(redis.url);
  const errands = errandsOf(bot);
  let asked = 0;
  workerFor(redis.url, async (find) => {
    asked += 1;
    expect(find).toMatchObject(FIND);
    return NONE;
  });
  expect(await bot.find(FIND)).toBe('queued');
  expect(await bot.find(FIND)).toBe('duplicate');
  expect(await errands.first).toMatchObject({ kind: 'errand', errand: 'picked', data: { channel: 'C1', found: NONE } });
  expect(await bot.find(FIND)).toBe('duplicate');
  await expect.poll(() => bot.pending()).toEqual({ intake: 0, looks: 0, answers: 0 });
  expect([asked, errands.all.length]).toEqual([1, 1]);
});

test('trouble with the host is an answer, and an error of ours is one without its stack', async () => {
  const redis = await redisForTest();
  const bot = botFor(redis.url);
  const found: unknown[] = [];
  bot.onIntake(async (intake) => void (intake.kind === 'errand' && found.push(intake.data.found)));
  workerFor(redis.url, async (find) => {
    if (find.id === 'known') throw new LookFailed('unreachable', 'web-7 does not answer.');
    throw new TypeError('secret detail');
  });
  await bot.find({ ...FIND, id: 'known' });
  await bot.find({ ...FIND, id: 'unknown' });
  await expect.poll(() => found.length, { timeout: 20_000 }).toBe(2);
  expect(found).toContainEqual({
    kind: 'failure',
    failure: { code: 'unreachable', sentence: 'web-7 does not answer.' },
  });
  expect(found).toContainEqual({ kind: 'failure', failure: expect.objectContaining({ code: 'internal' }) });
  expect(JSON.stringify(found)).not.toContain('secret detail');
});

test('a find whose worker is killed in the middle is answered once by another', async () => {
  const redis = await redisForTest();
  const bot = botFor(redis.url);
  const errands = errandsOf(bot);
  await bot.find(FIND);
  const first = startProcess(FIND_PROCESS, [redis.url]);
  await first.says('began find-1');
  first.child.kill('SIGKILL');
  await first.ended;
  workerFor(redis.url, async () => NONE);
  expect(await errands.first).toMatchObject({ data: { found: { kind: 'found' } } });
  await expect.poll(() => bot.pending()).toEqual({ intake: 0, looks: 0, answers: 0 });
  expect(errands.all).toHaveLength(1);
});

test('a find that ends every worker is given up with an answer', async () => {
  const redis = await redisForTest();
  const bot = botFor(redis.url);
  const errands = errandsOf(bot);
  await bot.find(FIND);
  for (let death = 1; death <= 3; death += 1) {
    const worker = startProcess(FIND_PROCESS, [redis.url]);
    await worker.says('began find-1');
    worker.child.kill('SIGKILL');
    await worker.ended;
  }
  workerFor(redis.url, async () => NONE);
  expect(await errands.first).toMatchObject({ data: { found: { kind: 'failure', failure: { code: 'interrupted' } } } });
});

test('a worker that is told to end answers the finds that it has', async () => {
  const redis = await redisForTest();
  const bot = botFor(redis.url);
  const errands = errandsOf(bot);
  const began = arrival<void>();
  const worker = workerFor(redis.url, async (_find, signal) => {
    began.arrive();
    return await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  });
  await bot.find(FIND);
  await began.promise;
  await worker.close();
  expect(await errands.first).toMatchObject({ data: { found: { kind: 'failure', failure: { code: 'interrupted' } } } });
});

test('without Redis a find is refused at once', async () => {
  const redis = await redisForTest();
  const bot = botFor(redis.url);
  await bot.status();
  await redis.close();
  await expect(bot.find(FIND)).rejects.toBeInstanceOf(QueueUnavailable);
});
