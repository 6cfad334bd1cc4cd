import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../infra/log.ts';
import type { Intake } from '../../../infra/queue/messages.ts';
import { StoredFile } from '../../../infra/queue/messages.ts';
import type { QuestionHandler } from '../../../infra/queue/questions.ts';
import { openWorkerQueue } from '../../../infra/queue/worker-side.ts';
import type { Reply } from '../../../playbooks/model/index.ts';
import { arrival, readyBotQueue, redisForTest, startProcess } from '../../support/queue.ts';

const QUESTION_PROCESS = fileURLToPath(new URL('./question-process.ts', import.meta.url));
const QUESTION = {
  id: 'question-1',
  round: 1,
  text: 'what holds the lock?',
  channel: 'C1',
  process: { host: 'web-7', pid: 6325 },
  looks: [],
  may: [],
  offers: [],
  spent: { steps: 0, input: 0, output: 0, since: 0 },
  handTo: { errand: 'replied', data: { round: 1 } },
};
const REPLY: Reply = {
  said: { kind: 'answer', sentences: [], lines: [], offer: null, dropped: 0 },
  model: 'stand-in',
  usage: { input: 10, output: 1 },
  price: null,
};
const FILE = { name: 'model.txt', evidenceId: 'model', content: Buffer.from('all of it'), truncated: false };

/** A bot that remembers the errands which come, on a Redis of this test's own. */
const world = async () => {
  const redis = await redisForTest();
  const bot = await readyBotQueue(redis.url);
  const all: Intake[] = [];
  const first = arrival<Intake>();
  bot.onIntake(async (intake) => {
    all.push(intake);
    first.arrive(intake);
  });
  const workerWith = (handler: QuestionHandler) => {
    const queue = { redisUrl: redis.url, concurrency: 2, log: silentLog, leaseMs: 1_000, stalledCheckMs: 200 };
    const worker = openWorkerQueue(queue);
    onTestFinished(() => worker.close());
    worker.question(handler);
    return worker;
  };
  const done = () => expect.poll(() => bot.pending(), { timeout: 30_000 }).toEqual({ intake: 0, looks: 0, answers: 0 });
  return { redis, bot, all, first: first.promise, workerWith, done };
};

test('a question comes back as the errand that it names, with reply and file, once', async () => {
  const { bot, all, first, workerWith, done } = await world();
  workerWith(async () => ({ reply: REPLY, file: FILE }));
  expect(await bot.ask(QUESTION)).toBe('queued');
  expect(await bot.ask(QUESTION)).toBe('duplicate');
  const errand = await first;
  expect(errand).toMatchObject({ kind: 'errand', errand: 'replied', data: { round: 1, reply: REPLY } });
  const file = StoredFile.parse(errand.kind === 'errand' ? errand.data.file : null);
  expect(Buffer.from((await bot.readFile(file)) ?? []).toString()).toBe('all of it');
  expect(await bot.ask(QUESTION)).toBe('duplicate');
  await done();
  expect(all).toHaveLength(1);
});

test('an error of ours is a reply without its words', async () => {
  const { bot, first, workerWith } = await world();
  workerWith(async () => {
    throw new TypeError('secret detail');
  });
  await bot.ask(QUESTION);
  const errand = await first;
  expect(errand).toMatchObject({ data: { reply: { said: { kind: 'nothing' } } } });
  expect(JSON.stringify(errand)).not.toContain('secret detail');
});

test('a question whose worker is killed in the middle is answered once by another', async () => {
  const { redis, bot, all, first, workerWith, done } = await world();
  await bot.ask(QUESTION);
  const worker = startProcess(QUESTION_PROCESS, [redis.url]);
  await worker.says('began question-1');
  worker.child.kill('SIGKILL');
  await worker.ended;
  workerWith(async () => ({ reply: REPLY, file: null }));
  expect(await first).toMatchObject({ data: { reply: REPLY } });
  await done();
  expect(all).toHaveLength(1);
});

test('a question that ends every worker is given up with a reply', async () => {
  const { redis, bot, first, workerWith } = await world();
  await bot.ask(QUESTION);
  for (let death = 1; death <= 3; death += 1) {
    const worker = startProcess(QUESTION_PROCESS, [redis.url]);
    await worker.says('began question-1');
    worker.child.kill('SIGKILL');
    await worker.ended;
  }
  workerWith(async () => ({ reply: REPLY, file: null }));
  expect(await first).toMatchObject({ data: { reply: { said: { kind: 'nothing' } } } });
});
