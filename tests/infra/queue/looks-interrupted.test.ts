import { fileURLToPath } from 'node:url';
import { Queue } from 'bullmq';
import { expect, test } from 'vitest';
import { patientOptions, QueueUnavailable } from '../../../infra/queue/connection.ts';
import type { Answer } from '../../../infra/queue/messages.ts';
import { jobId, LOOKS, PREFIX } from '../../../infra/queue/names.ts';
import {
  arrival,
  botQueueForTest,
  keptLog,
  readyBotQueue,
  redisForTest,
  requestForTest,
  startProcess,
  workerQueueForTest,
} from '../../support/queue.ts';
import { failure } from './looks.parts.ts';

const WORKER = fileURLToPath(new URL('./worker-process.ts', import.meta.url));

test('after a worker was killed the next one is told which steps ran', async () => {
  const redis = await redisForTest();
  const bot = await readyBotQueue(redis.url);
  const answered = arrival<Answer>();
  bot.onAnswer(async (answer) => answered.arrive(answer));
  const request = requestForTest();
  await bot.enqueue(request);
  const first = startProcess(WORKER, [redis.url]);
  await first.says(`started ${request.id}`);
  first.child.kill('SIGKILL');
  await first.ended;
  workerQueueForTest(redis.url).work(async (_request, { journal }) => failure(`earlier: ${await journal.earlier()}`));
  expect((await answered.promise).outcome).toEqual(failure('earlier: strace').outcome);
});

test('a request that ends every worker is given up with an answer', async () => {
  const redis = await redisForTest();
  const bot = await readyBotQueue(redis.url);
  const answered = arrival<Answer>();
  bot.onAnswer(async (answer) => answered.arrive(answer));
  const request = requestForTest();
  await bot.enqueue(request);
  for (let death = 1; death <= 3; death += 1) {
    const worker = startProcess(WORKER, [redis.url]);
    await worker.says(`started ${request.id}`);
    worker.child.kill('SIGKILL');
    await worker.ended;
  }
  let begun = false;
  workerQueueForTest(redis.url).work(async () => {
    begun = true;
    return failure('must not run');
  });
  const { outcome } = await answered.promise;
  expect(begun).toBe(false);
  expect(outcome).toMatchObject({ kind: 'failure', failure: { code: 'interrupted' } });
  expect(JSON.stringify(outcome)).toContain('given up after 3 workers');
});

test('a worker that is asked to end says so in the answer of a look that will not', async () => {
  const redis = await redisForTest();
  const bot = await readyBotQueue(redis.url);
  const answered = arrival<Answer>();
  bot.onAnswer(async (answer) => answered.arrive(answer));
  const started = arrival<void>();
  const worker = workerQueueForTest(redis.url, { graceMs: 50 });
  worker.work(async (_request, { signal }) => {
    started.arrive();
    return await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  });
  await bot.enqueue(requestForTest());
  await started.promise;
  await worker.close();
  expect((await answered.promise).outcome).toMatchObject({ kind: 'failure', failure: { code: 'interrupted' } });
});

test('Redis restarts in the middle of a look: the answer arrives, the work is done once', async () => {
  const redis = await redisForTest();
  const bot = await readyBotQueue(redis.url);
  const answered = arrival<Answer>();
  bot.onAnswer(async (answer) => answered.arrive(answer));
  const [started, goOn] = [arrival<void>(), arrival<void>()];
  let looks = 0;
  workerQueueForTest(redis.url, { leaseMs: 30_000 }).work(async () => {
    looks += 1;
    started.arrive();
    await goOn.promise;
    return failure('survived');
  });
  await bot.enqueue(requestForTest());
  await started.promise;
  await redis.close();
  await expect(bot.enqueue(requestForTest())).rejects.toBeInstanceOf(QueueUnavailable);
  expect(await bot.healthy()).toBe(false);
  goOn.arrive();
  await redis.restart();
  expect((await answered.promise).outcome).toEqual(failure('survived').outcome);
  expect(looks).toBe(1);
});

test('Redis comes back without its data: a running look still answers', async () => {
  const redis = await redisForTest();
  const bot = await readyBotQueue(redis.url);
  const log = keptLog();
  const answered = arrival<Answer>();
  bot.onAnswer(async (answer) => answered.arrive(answer));
  const [started, goOn] = [arrival<AbortSignal>(), arrival<void>()];
  workerQueueForTest(redis.url, { log, leaseMs: 1_000 }).work(async (_request, { signal }) => {
    started.arrive(signal);
    await goOn.promise;
    return failure('still here');
  });
  await bot.enqueue(requestForTest());
  const signal = await started.promise;
  const looks = new Queue(LOOKS, { connection: patientOptions(redis.url), prefix: PREFIX });
  await looks.obliterate({ force: true });
  await looks.close();
  const renewalFailed = () => JSON.stringify(log.lines).includes('could not renew lock');
  await expect.poll(renewalFailed, { timeout: 20_000 }).toBe(true);
  expect(signal.aborted).toBe(false);
  goOn.arrive();
  expect((await answered.promise).outcome).toEqual(failure('still here').outcome);
});

test('a look whose request another worker may take ends without an answer of its own', async () => {
  const redis = await redisForTest();
  const bot = await readyBotQueue(redis.url);
  const answers: Answer[] = [];
  const answered = arrival<void>();
  bot.onAnswer(async (answer) => {
    answers.push(answer);
    answered.arrive();
  });
  const request = requestForTest();
  const aborted = arrival<unknown>();
  let deliveries = 0;
  workerQueueForTest(redis.url, { leaseMs: 1_000 }).work(async (_request, { signal }) => {
    deliveries += 1;
    if (deliveries > 1) return failure('second');
    const looks = new Queue(LOOKS, { connection: patientOptions(redis.url), prefix: PREFIX });
    // As if this worker had been frozen for longer than its lease.
    await (await looks.getBackend().client).del(`${looks.toKey(jobId('look', request.id))}:lock`);
    await looks.close();
    return await new Promise((_resolve, reject) => {
      const end = () => {
        aborted.arrive(signal.reason);
        reject(signal.reason);
      };
      if (signal.aborted) end();
      else signal.addEventListener('abort', end);
    });
  });
  await bot.enqueue(request);
  await aborted.promise;
  await answered.promise;
  expect(answers.map((answer) => answer.outcome)).toEqual([failure('second').outcome]);
});

test('with Redis down enqueueing fails with a sentence, and works when Redis is back', async () => {
  const redis = await redisForTest();
  const bot = await readyBotQueue(redis.url);
  await bot.status();
  await redis.close();
  await expect(bot.enqueue(requestForTest())).rejects.toThrow('The queue (Redis) does not answer');
  await redis.restart();
  await expect.poll(() => bot.healthy(), { timeout: 20_000 }).toBe(true);
  expect(await bot.enqueue(requestForTest())).toBe('queued');
});

test('a bot that starts before Redis works once Redis is there', async () => {
  const redis = await redisForTest();
  await redis.close();
  const bot = botQueueForTest(redis.url);
  await expect(bot.status()).rejects.toBeInstanceOf(QueueUnavailable);
  await redis.restart();
  await expect.poll(() => bot.healthy(), { timeout: 20_000 }).toBe(true);
  expect(await bot.status()).toEqual({ workers: 0, waiting: 0, active: [] });
});
