import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../infra/log.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import { LeaseTaken, withLease } from '../../../infra/queue/lease.ts';
import { ANSWERS, jobId, key, PREFIX } from '../../../infra/queue/names.ts';
import { openWorkerQueue } from '../../../infra/queue/worker-side.ts';
import { arrival, redisForTest, requestForTest } from '../../support/queue.ts';

const LEASE_MS = 1_200;

const clientFor = (url: string): Redis => {
  const redis = new Redis(url, { maxRetriesPerRequest: null });
  onTestFinished(() => redis.disconnect());
  return redis;
};

const lease = { name: key('handling', 'test', '1'), doing: 'handling', waitMs: 0 };
const late = { ...lease, leaseMs: LEASE_MS, late: true };

test('work that ends soon never asks Redis for a lease that it need not have yet', async () => {
  const { url } = await redisForTest();
  const redis = clientFor(url);
  const asked = async () => /cmdstat_(?:set|evalsha|eval):/.test(String(await redis.call('INFO', 'commandstats')));
  expect(await withLease(redis, { ...late, leaseMs: 3_600_000 }, async () => 'done')).toBe('done');
  expect(await asked()).toBe(false);
  // The same with a lease that is taken at once does ask.
  await withLease(redis, { ...lease, leaseMs: LEASE_MS }, async () => undefined);
  expect(await asked()).toBe(true);
});

test('of work that lasts it is taken, kept from others, and given back', async () => {
  const { url } = await redisForTest();
  const [redis, other] = [clientFor(url), clientFor(url)];
  await withLease(redis, late, async ({ lost }) => {
    await expect.poll(() => other.exists(lease.name), { timeout: 20_000 }).toBe(1);
    await expect(withLease(other, { ...lease, leaseMs: LEASE_MS }, async () => undefined)).rejects.toThrow(LeaseTaken);
    expect(lost.aborted).toBe(false);
  });
  expect(await other.exists(lease.name)).toBe(0);
});

test('one that somebody else has by then is lost, and stays theirs', async () => {
  const { url } = await redisForTest();
  const redis = clientFor(url);
  await redis.set(lease.name, 'another');
  await withLease(redis, late, async ({ lost }) => {
    await new Promise<void>((resolve) => lost.addEventListener('abort', () => resolve()));
  });
  expect(await redis.get(lease.name)).toBe('another');
});

test('an answer that BullMQ gives out twice is shown by one bot, and by the other only when that has ended', async () => {
  const { url } = await redisForTest();
  const redis = clientFor(url);
  const botFor = () => {
    const bot = openBotQueue({ redisUrl: url, log: silentLog, leaseMs: 3_000, stalledCheckMs: 100 });
    onTestFinished(() => bot.close());
    return bot;
  };
  const request = requestForTest();
  const bots = [botFor(), botFor()];
  const [showing, shown, again] = [arrival<void>(), arrival<void>(), arrival<number>()];
  const order: string[] = [];
  for (const bot of bots) {
    bot.onAnswer(async (_answer, { attempt }) => {
      order.push('begins');
      if (attempt > 1) return again.arrive(attempt);
      showing.arrive();
      await shown.promise;
      order.push('ends');
    });
  }
  const [bot] = bots;
  await expect.poll(() => bot?.healthy(), { timeout: 20_000 }).toBe(true);
  await bot?.enqueue(request);
  const worker = openWorkerQueue({ redisUrl: url, concurrency: 1, log: silentLog });
  onTestFinished(() => worker.close());
  const outcome = {
    kind: 'failure',
    failure: { code: 'no-such-process', sentence: 'Nothing was looked at.' },
  } as const;
  worker.work(async () => ({ outcome, files: [] }));
  await showing.promise;
  await expect.poll(() => redis.exists(key('handling', 'answer', request.id)), { timeout: 20_000 }).toBe(1);
  const job = `${PREFIX}:${ANSWERS}:${jobId('answer', request.id)}`;
  // As if it had run out: the message is given out once more, to either of the bots.
  await redis.del(`${job}:lock`);
  await expect.poll(async () => Number(await redis.hget(job, 'ats')), { timeout: 20_000 }).toBeGreaterThan(1);
  expect(order).toEqual(['begins']);
  shown.arrive();
  expect(await again.promise).toBeGreaterThan(1);
  expect(order).toEqual(['begins', 'ends', 'begins']);
});
