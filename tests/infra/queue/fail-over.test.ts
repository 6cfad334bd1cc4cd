import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../infra/log.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import type { Answer } from '../../../infra/queue/messages.ts';
import { reportFor, workerForTest } from '../../support/bot.ts';
import { arrival, redisForTest, requestForTest } from '../../support/queue.ts';
import { until } from '../../support/until.ts';

test('an answer that Redis has no room for waits until it has, and is given once', async () => {
  const redis = await redisForTest();
  const admin = new Redis(redis.url);
  onTestFinished(() => admin.disconnect());
  const queue = openBotQueue({ redisUrl: redis.url, log: silentLog });
  onTestFinished(() => queue.close());
  const answers: Answer[] = [];
  const first = arrival<void>();
  queue.onAnswer(async (answer) => {
    answers.push(answer);
    first.arrive();
  });
  let looks = 0;
  workerForTest(redis.url, async (request) => {
    looks += 1;
    await admin.config('SET', 'maxmemory', '1');
    return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
  });
  await queue.enqueue(requestForTest());
  await until(
    'Redis has refused something',
    async () => Number(/errorstat_OOM:count=(\d+)/.exec(await admin.info('errorstats'))?.[1] ?? 0) >= 3,
  );
  await admin.config('SET', 'maxmemory', '0');
  await first.promise;
  await expect.poll(() => queue.pending(), { timeout: 60_000 }).toEqual({ intake: 0, looks: 0, answers: 0 });
  expect(answers.map(({ outcome }) => outcome.kind)).toEqual(['report']);
  expect(looks).toBe(1);
});
