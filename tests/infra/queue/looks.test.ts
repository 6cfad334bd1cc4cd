import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Queue } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../infra/log.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import { patientOptions, QueueUnavailable } from '../../../infra/queue/connection.ts';
import type { Answer, ProgressMessage, Refusal } from '../../../infra/queue/messages.ts';
import { ANSWERS, jobId, LOOKS, PREFIX } from '../../../infra/queue/names.ts';
import { openWorkerQueue, type WorkerQueueOptions } from '../../../infra/queue/worker-side.ts';
import { LookFailed } from '../../../playbooks/model/index.ts';
import { arrival, keptLog, redisForTest, requestForTest, startProcess } from '../../support/queue.ts';

const WORKER = fileURLToPath(new URL('./worker-process.ts', import.meta.url));

const botFor = (redisUrl: string, log = silentLog) => {
  const bot = openBotQueue({ redisUrl, log, leaseMs: 5_000, stalledCheckMs: 200 });
  onTestFinished(() => bot.close());
  return bot;
};

const workerFor = (redisUrl: string, change: Partial<WorkerQueueOptions> = {}) => {
  const worker = openWorkerQueue({
    redisUrl,
    concurrency: 2,
    log: silentLog,
    leaseMs: 5_000,
    stalledCheckMs: 200,
    graceMs: 1_000,
    ...change,
  });
  onTestFinished(() => worker.close());
  return worker;
};

const failure = (sentence: string) =>
  ({ outcome: { kind: 'failure', failure: { code: 'internal', sentence } }, files: [] }) as const;

/** A job put past the bot, as another version or a hand would. */
const rawJob = async (redisUrl: string, queueName: string, data: unknown) => {
  const queue = new Queue(queueName, { connection: patientOptions(redisUrl), prefix: PREFIX });
  await queue.add('raw', data, { jobId: 'raw-1' });
  await queue.close();
};

test('a request, its progress, its answer and its files go the whole way', async () => {
  const redis = await redisForTest();
  const bot = botFor(redis.url);
  const bytes = randomBytes(300_000);
  const progress = arrival<ProgressMessage>();
  const answered = arrival<{ answer: Answer; content: Uint8Array | null }>();
  bot.onProgress(progress.arrive);
  bot.onAnswer(async (answer, { readFile }) => {
    const [file] = answer.files;
    answered.arrive({ answer, content: file ? await readFile(file) : null });
  });
  workerFor(redis.url).work(async (request, tools) => {
    tools.progress({ requestId: request.id, doing: 'Sampling', probes: ['sample'], percent: 30, seconds: 1.5 });
    await progress.promise;
    return { ...failure('no'), files: [{ name: 'E1.txt', evidenceId: 'E1', content: bytes, truncated: false }] };
  });
  const request = requestForTest();
  expect(await bot.enqueue(request)).toBe('queued');
  expect(await bot.enqueue(request)).toBe('duplicate');
  expect(await progress.promise).toMatchObject({ request, progress: { doing: 'Sampling', percent: 30 } });
  const { answer, content } = await answered.promise;
  expect(answer).toMatchObject({ requestId: request.id, request, outcome: failure('no').outcome });
  expect(answer.files).toMatchObject([{ name: 'E1.txt', bytes: 300_000, truncated: false }]);
  expect(content !== null && Buffer.from(content).equals(bytes)).toBe(true);
  expect(await bot.enqueue(request)).toBe('duplicate');
});

test('a look that fails or throws is an answer too, without its stack', async () => {
  const redis = await redisForTest();
  const bot = botFor(redis.url);
  const log = keptLog();
  const answers = new Map<string, Answer>();
  const both = arrival<void>();
  bot.onAnswer(async (answer) => {
    answers.set(answer.requestId, answer);
    if (answers.size === 2) both.arrive();
  });
  workerFor(redis.url, { log }).work(async (request) => {
    if (request.pid === 1) throw new LookFailed('kernel-thread', 'Process 1 is a kernel thread.');
    throw new TypeError('secret detail');
  });
  const [known, unknown] = [requestForTest({ pid: 1 }), requestForTest({ pid: 2 })];
  await bot.enqueue(known);
  await bot.enqueue(unknown);
  await both.promise;
  expect(answers.get(known.id)?.outcome).toEqual({
    kind: 'failure',
    failure: { code: 'kernel-thread', sentence: 'Process 1 is a kernel thread.' },
  });
  expect(answers.get(unknown.id)?.outcome).toMatchObject({ kind: 'failure', failure: { code: 'internal' } });
  expect(JSON.stringify(answers.get(unknown.id))).not.toContain('secret detail');
  expect(JSON.stringify(log.lines)).toContain('secret detail');
});

test('an answer is handed over again until its handler resolves', async () => {
  const redis = await redisForTest();
  const bot = botFor(redis.url);
  const attempts: number[] = [];
  const done = arrival<void>();
  bot.onAnswer(async (_answer, { attempt }) => {
    attempts.push(attempt);
    if (attempts.length < 3) throw new Error('Slack is away');
    done.arrive();
  });
  workerFor(redis.url).work(async () => failure('x'));
  await bot.enqueue(requestForTest());
  await done.promise;
  expect(attempts).toEqual([1, 2, 3]);
});

test('an answer that was given while no bot ran is handed to the next bot', async () => {
  const redis = await redisForTest();
  const first = openBotQueue({ redisUrl: redis.url, log: silentLog });
  const request = requestForTest();
  await first.enqueue(request);
  await first.close();
  const looked = arrival<void>();
  const worker = workerFor(redis.url);
  worker.work(async () => {
    looked.arrive();
    return failure('while away');
  });
  await looked.promise;
  await worker.close();
  const answered = arrival<Answer>();
  botFor(redis.url).onAnswer(async (answer) => answered.arrive(answer));
  expect(await answered.promise).toMatchObject({ requestId: request.id, outcome: failure('while away').outcome });
});

test('after a worker was killed the next one is told which steps ran', async () => {
  const redis = await redisForTest();
  const bot = botFor(redis.url);
  const answered = arrival<Answer>();
  bot.onAnswer(async (answer) => answered.arrive(answer));
  const request = requestForTest();
  await bot.enqueue(request);
  const first = startProcess(WORKER, [redis.url]);
  await first.says(`started ${request.id}`);
  first.child.kill('SIGKILL');
  await first.ended;
  workerFor(redis.url).work(async (_request, { journal }) => failure(`earlier: ${await journal.earlier()}`));
  expect((await answered.promise).outcome).toEqual(failure('earlier: strace').outcome);
});

test('a request that ends every worker is given up with an answer', async () => {
  const redis = await redisForTest();
  const bot = botFor(redis.url);
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
  workerFor(redis.url).work(async () => {
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
  const bot = botFor(redis.url);
  const answered = arrival<Answer>();
  bot.onAnswer(async (answer) => answered.arrive(answer));
  const started = arrival<void>();
  const worker = workerFor(redis.url, { graceMs: 50 });
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
  const bot = botFor(redis.url);
  const answered = arrival<Answer>();
  bot.onAnswer(async (answer) => answered.arrive(answer));
  const [started, goOn] = [arrival<void>(), arrival<void>()];
  let looks = 0;
  workerFor(redis.url, { leaseMs: 30_000 }).work(async () => {
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
  const bot = botFor(redis.url);
  const log = keptLog();
  const answered = arrival<Answer>();
  bot.onAnswer(async (answer) => answered.arrive(answer));
  const [started, goOn] = [arrival<AbortSignal>(), arrival<void>()];
  workerFor(redis.url, { log, leaseMs: 1_000 }).work(async (_request, { signal }) => {
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
  const bot = botFor(redis.url);
  const answers: Answer[] = [];
  const answered = arrival<void>();
  bot.onAnswer(async (answer) => {
    answers.push(answer);
    answered.arrive();
  });
  const request = requestForTest();
  const aborted = arrival<unknown>();
  let deliveries = 0;
  workerFor(redis.url, { leaseMs: 1_000 }).work(async (_request, { signal }) => {
    deliveries += 1;
    if (deliveries > 1) return failure('second');
    const looks = new Queue(LOOKS, { connection: patientOptions(redis.url), prefix: PREFIX });
    // As if this worker had been frozen for longer than its lease.
    await (await looks.getBackend().client).del(`${looks.toKey(jobId('look', request.id))}:lock`);
    await looks.close();
    return await new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        aborted.arrive(signal.reason);
        reject(signal.reason);
      });
    });
  });
  await bot.enqueue(request);
  await aborted.promise;
  await answered.promise;
  expect(answers.map((answer) => answer.outcome)).toEqual([failure('second').outcome]);
});

test('with Redis down enqueueing fails with a sentence, and works when Redis is back', async () => {
  const redis = await redisForTest();
  const bot = botFor(redis.url);
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
  const bot = botFor(redis.url);
  await expect(bot.status()).rejects.toBeInstanceOf(QueueUnavailable);
  await redis.restart();
  await expect.poll(() => bot.healthy(), { timeout: 20_000 }).toBe(true);
  expect(await bot.status()).toEqual({ workers: 0, waiting: 0, active: [] });
});

test('a request that does not parse is refused in its thread and ends nobody', async () => {
  const redis = await redisForTest();
  const bot = botFor(redis.url);
  const log = keptLog();
  const refused = arrival<Refusal>();
  bot.onRefusal(async (refusal) => refused.arrive(refusal));
  bot.onAnswer(async () => undefined);
  const { id, origin } = requestForTest();
  await rawJob(redis.url, LOOKS, { id, origin, host: '-oProxyCommand=x', pid: 'one' });
  const worker = workerFor(redis.url, { log });
  worker.work(async () => failure('must not run'));
  const refusal = await refused.promise;
  expect(refusal).toMatchObject({ requestId: id, origin, failure: { code: 'bad-request' } });
  expect(log.lines.some((line) => line.message.includes('does not parse'))).toBe(true);
});

test('an answer that does not parse is refused in its thread; one without an origin is logged', async () => {
  const redis = await redisForTest();
  const log = keptLog();
  const bot = botFor(redis.url, log);
  const refused = arrival<Refusal>();
  bot.onRefusal(async (refusal) => refused.arrive(refusal));
  bot.onAnswer(async () => undefined);
  const { id, origin } = requestForTest();
  await rawJob(redis.url, ANSWERS, { kind: 'answer', answer: { request: { id, origin }, outcome: 'garbage' } });
  expect(await refused.promise).toMatchObject({ requestId: id, origin, failure: { code: 'internal' } });
  const queue = new Queue(ANSWERS, { connection: patientOptions(redis.url), prefix: PREFIX });
  onTestFinished(() => queue.close());
  await queue.add('raw', { nothing: true }, { jobId: 'raw-2' });
  await expect
    .poll(() => log.lines.filter((line) => line.message.includes('does not parse')).length, { timeout: 20_000 })
    .toBe(2);
});

test('status shows workers and what they do', async () => {
  const redis = await redisForTest();
  const bot = botFor(redis.url);
  const [progress, goOn] = [arrival<ProgressMessage>(), arrival<void>()];
  bot.onProgress(progress.arrive);
  workerFor(redis.url, { concurrency: 1 }).work(async (request, tools) => {
    tools.progress({ requestId: request.id, doing: 'Tracing', probes: ['strace'], percent: 50, seconds: 2 });
    await goOn.promise;
    return failure('x');
  });
  const [first, second] = [requestForTest(), requestForTest()];
  await bot.enqueue(first);
  await bot.enqueue(second);
  await progress.promise;
  expect(await bot.status()).toEqual({
    workers: 1,
    waiting: 1,
    active: [{ request: first, progress: (await progress.promise).progress }],
  });
  goOn.arrive();
});
