import { randomBytes } from 'node:crypto';
import { Queue } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../infra/log.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import { patientOptions } from '../../../infra/queue/connection.ts';
import type { Answer, ProgressMessage, Refusal } from '../../../infra/queue/messages.ts';
import { ANSWERS, LOOKS, PREFIX } from '../../../infra/queue/names.ts';
import { LookFailed } from '../../../playbooks/model/index.ts';
import {
  arrival,
  botQueueForTest,
  keptLog,
  readyBotQueue,
  redisForTest,
  requestForTest,
  workerQueueForTest,
} from '../../support/queue.ts';
import { failure } from './looks.parts.ts';

/** A job put past the bot, as another version or a hand would. */
const rawJob = async (redisUrl: string, queueName: string, data: unknown) => {
  const queue = new Queue(queueName, { connection: patientOptions(redisUrl), prefix: PREFIX });
  await queue.add('raw', data, { jobId: 'raw-1' });
  await queue.close();
};

test('a request, its progress, its answer and its files go the whole way', async () => {
  const redis = await redisForTest();
  const bot = await readyBotQueue(redis.url);
  const bytes = randomBytes(300_000);
  const progress = arrival<ProgressMessage>();
  const answered = arrival<{ answer: Answer; content: Uint8Array | null }>();
  bot.onProgress(progress.arrive);
  bot.onAnswer(async (answer, { readFile }) => {
    const [file] = answer.files;
    answered.arrive({ answer, content: file ? await readFile(file) : null });
  });
  workerQueueForTest(redis.url).work(async (request, tools) => {
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
  const bot = await readyBotQueue(redis.url);
  const log = keptLog();
  const answers = new Map<string, Answer>();
  const both = arrival<void>();
  bot.onAnswer(async (answer) => {
    answers.set(answer.requestId, answer);
    if (answers.size === 2) both.arrive();
  });
  workerQueueForTest(redis.url, { log }).work(async (request) => {
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
  const bot = await readyBotQueue(redis.url);
  const attempts: number[] = [];
  const done = arrival<void>();
  bot.onAnswer(async (_answer, { attempt }) => {
    attempts.push(attempt);
    if (attempts.length < 3) throw new Error('Slack is away');
    done.arrive();
  });
  workerQueueForTest(redis.url).work(async () => failure('x'));
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
  const worker = workerQueueForTest(redis.url);
  worker.work(async () => {
    looked.arrive();
    return failure('while away');
  });
  await looked.promise;
  await worker.close();
  const answered = arrival<Answer>();
  botQueueForTest(redis.url).onAnswer(async (answer) => answered.arrive(answer));
  expect(await answered.promise).toMatchObject({ requestId: request.id, outcome: failure('while away').outcome });
});

test('a request that does not parse is refused in its thread and ends nobody', async () => {
  const redis = await redisForTest();
  const bot = await readyBotQueue(redis.url);
  const log = keptLog();
  const refused = arrival<Refusal>();
  bot.onRefusal(async (refusal) => refused.arrive(refusal));
  bot.onAnswer(async () => undefined);
  const { id, origin } = requestForTest();
  await rawJob(redis.url, LOOKS, { id, origin, host: '-oProxyCommand=x', pid: 'one' });
  const worker = workerQueueForTest(redis.url, { log });
  worker.work(async () => failure('must not run'));
  const refusal = await refused.promise;
  expect(refusal).toMatchObject({ requestId: id, origin, failure: { code: 'bad-request' } });
  expect(log.lines.some((line) => line.message.includes('does not parse'))).toBe(true);
});

test('an answer that does not parse is refused in its thread; one without an origin is logged', async () => {
  const redis = await redisForTest();
  const log = keptLog();
  const bot = await readyBotQueue(redis.url, log);
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
  const bot = await readyBotQueue(redis.url);
  const [progress, goOn] = [arrival<ProgressMessage>(), arrival<void>()];
  bot.onProgress(progress.arrive);
  workerQueueForTest(redis.url, { concurrency: 1 }).work(async (request, tools) => {
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
