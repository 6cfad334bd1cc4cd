import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Queue } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../infra/log.ts';
import { cancelLook, cancelWatch } from '../../../infra/queue/cancel.ts';
import { openPatient, patientOptions } from '../../../infra/queue/connection.ts';
import type { Answer } from '../../../infra/queue/messages.ts';
import { ANSWERS, key, LOOKS, PREFIX } from '../../../infra/queue/names.ts';
import type { WorkerQueueOptions } from '../../../infra/queue/worker-side.ts';
import { LookFailed, type Request } from '../../../playbooks/model/index.ts';
import {
  arrival,
  readyBotQueue,
  redisForTest,
  requestForTest,
  startProcess,
  workerQueueForTest,
} from '../../support/queue.ts';

const WORKER = fileURLToPath(new URL('./worker-process.ts', import.meta.url));

const opened = async () => {
  const redis = await redisForTest();
  const bot = await readyBotQueue(redis.url);
  const answers: Answer[] = [];
  const answered = arrival<Answer>();
  bot.onAnswer(async (answer) => {
    answers.push(answer);
    answered.arrive(answer);
  });
  const worker = (change: Partial<WorkerQueueOptions> = {}) =>
    workerQueueForTest(redis.url, { concurrency: 2, ...change });
  return { redis, bot, answers, answered: answered.promise, worker };
};

/** Looks until it is told to end, and then fails with what it was told. */
const untilEnded = (started: (request: Request) => void) => (request: Request, tools: { signal: AbortSignal }) => {
  started(request);
  return new Promise<never>((_resolve, reject) => {
    if (tools.signal.aborted) reject(tools.signal.reason);
    tools.signal.addEventListener('abort', () => reject(tools.signal.reason));
  });
};

const byBob = (requestId: string) => ({ id: `press-${requestId}`, requestId, by: 'bob' });

test('a look that waits is taken out of the queue, with an answer that says so', async () => {
  const { bot, answered, answers, worker } = await opened();
  const request = requestForTest();
  await bot.enqueue(request);
  expect(await bot.open(({ id }) => id === request.id)).toMatchObject([{ request, state: 'waits', progress: null }]);
  expect(await bot.cancel(byBob(request.id))).toEqual({ state: 'removed' });
  const { outcome, request: theirs } = await answered;
  expect(theirs).toEqual(request);
  expect(outcome).toEqual({
    kind: 'failure',
    failure: { code: 'cancelled', sentence: 'The look was cancelled by bob while it waited for a worker.' },
  });
  expect(await bot.open(() => true)).toEqual([]);
  // A worker that comes now has nothing to do but the next request.
  const seen: string[] = [];
  const next = requestForTest();
  worker({ concurrency: 1 }).work(async ({ id }) => {
    seen.push(id);
    throw new LookFailed('busy', 'x');
  });
  await bot.enqueue(next);
  await expect.poll(() => answers.length, { timeout: 20_000 }).toBe(2);
  expect(seen).toEqual([next.id]);
});

test('a look that runs is told who cancelled it, and gives the answer', async () => {
  const { bot, answered, worker } = await opened();
  const started = arrival<Request>();
  worker().work(untilEnded(started.arrive));
  const request = requestForTest();
  await bot.enqueue(request);
  await started.promise;
  expect(await bot.open(() => true)).toMatchObject([{ request, state: 'runs' }]);
  expect(await bot.cancel(byBob(request.id))).toEqual({ state: 'told' });
  expect((await answered).outcome).toEqual({
    kind: 'failure',
    failure: { code: 'cancelled', sentence: 'The look was cancelled by bob.' },
  });
});

test('cancelling once more, what has ended, and what never was, are told apart', async () => {
  const { bot, answered, worker } = await opened();
  const started = arrival<Request>();
  const goOn = arrival<void>();
  worker().work(async (request) => {
    started.arrive(request);
    await goOn.promise;
    throw new LookFailed('busy', 'it ended by itself');
  });
  const request = requestForTest();
  await bot.enqueue(request);
  await started.promise;
  expect(await bot.cancel(byBob(request.id))).toEqual({ state: 'told' });
  expect(await bot.cancel(byBob(request.id))).toEqual({ state: 'told' });
  expect(await bot.cancel({ id: 'another', requestId: request.id, by: 'alice' })).toEqual({
    state: 'already',
    by: 'bob',
  });
  goOn.arrive();
  await answered;
  expect(await bot.cancel({ id: 'a third', requestId: request.id, by: 'alice' })).toEqual({ state: 'ended' });
  expect(await bot.cancel(byBob('request-that-never-was'))).toEqual({ state: 'unknown' });
});

test('a crash between taking a look out of the queue and answering it loses no answer', async () => {
  const { redis, bot, answered } = await opened();
  const request = requestForTest();
  await bot.enqueue(request);
  const own = openPatient(redis.url, silentLog);
  const options = { connection: patientOptions(redis.url), prefix: PREFIX };
  const [looks, answers] = [new Queue(LOOKS, options), new Queue(ANSWERS, options)];
  const dies = async () => {
    throw new Error('the bot ends here');
  };
  const tools = { redis: own, looks, answers, answer: dies };
  await expect(cancelLook(tools, byBob(request.id))).rejects.toThrow('the bot ends here');
  expect(await bot.open(() => true)).toEqual([]);
  expect(await bot.cancel(byBob(request.id))).toEqual({ state: 'removed' });
  expect((await answered).outcome).toMatchObject({ failure: { code: 'cancelled' } });
  await Promise.all([looks.close(), answers.close()]);
  own.disconnect();
});

test('a look whose worker died is not begun again once it is cancelled', async () => {
  const { redis, bot, answered, worker } = await opened();
  const request = requestForTest();
  await bot.enqueue(request);
  const first = startProcess(WORKER, [redis.url]);
  await first.says(`started ${request.id}`);
  first.child.kill('SIGKILL');
  await first.ended;
  expect((await bot.cancel(byBob(request.id))).state).toMatch(/^(?:told|removed)$/);
  let begun = 0;
  worker().work(async () => {
    begun += 1;
    throw new LookFailed('busy', 'must not run');
  });
  expect((await answered).outcome).toMatchObject({ failure: { code: 'cancelled' } });
  expect(begun).toBe(0);
});

test('a worker that had lost Redis for a while hears of it afterwards', async () => {
  const { redis, bot, answered, worker } = await opened();
  const started = arrival<Request>();
  worker({ leaseMs: 30_000 }).work(untilEnded(started.arrive));
  const request = requestForTest();
  await bot.enqueue(request);
  await started.promise;
  await redis.close();
  await expect(bot.cancel(byBob(request.id))).rejects.toThrow('does not answer');
  await redis.restart();
  await expect.poll(() => bot.healthy(), { timeout: 20_000 }).toBe(true);
  expect(await bot.cancel(byBob(request.id))).toEqual({ state: 'told' });
  expect((await answered).outcome).toMatchObject({ failure: { code: 'cancelled' } });
});

test('a look that waits for another one on the same process ends too', async () => {
  const { bot, answered, worker } = await opened();
  const waits = arrival<void>();
  const end = arrival<void>();
  const holding = arrival<void>();
  const queue = worker();
  queue.work(async (request, { signal, withTargetLock }) =>
    withTargetLock(
      { host: request.host, pid: request.pid, doing: 'a look', signal, onWait: () => waits.arrive() },
      () => {
        throw new LookFailed('internal', 'must not run');
      },
    ),
  );
  const held = queue.withTargetLock({ host: 'web-7', pid: 6325, doing: 'another' }, async () => {
    holding.arrive();
    await end.promise;
  });
  await holding.promise;
  const request = requestForTest();
  await bot.enqueue(request);
  await waits.promise;
  expect(await bot.cancel(byBob(request.id))).toEqual({ state: 'told' });
  expect((await answered).outcome).toMatchObject({ failure: { code: 'cancelled' } });
  end.arrive();
  await held;
});

test('a worker with many looks asks for all of them at once, and ends only the one that is meant', async () => {
  const redis = await redisForTest();
  const client = openPatient(redis.url, silentLog);
  onTestFinished(() => void client.disconnect());
  const { watch } = cancelWatch(client);
  const looks = Array.from({ length: 50 }, () => ({ request: requestForTest(), abort: new AbortController() }));
  const stops = looks.map(({ request, abort }) => watch(request.id, abort));
  onTestFinished(() => {
    for (const stop of stops) stop();
  });
  const [first, meant, ...others] = looks;
  if (first === undefined || meant === undefined) throw new Error('there are no looks');
  await client.set(key('cancelled', first.request.id), 'no wish');
  const told = once(meant.abort.signal, 'abort');
  await client.set(key('cancelled', meant.request.id), JSON.stringify({ id: 'a', by: 'bob', request: meant.request }));
  await told;
  expect(meant.abort.signal.reason).toMatchObject({ code: 'cancelled', message: 'The look was cancelled by bob.' });
  expect([first, ...others].filter(({ abort }) => abort.signal.aborted)).toEqual([]);
  const counts = String(await client.call('INFO', 'commandstats'));
  expect(counts).toContain('cmdstat_mget:');
  expect(counts).not.toContain('cmdstat_get:');
});
