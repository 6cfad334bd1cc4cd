import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { announceWorker, countWorkers } from '../../../infra/queue/heartbeat.ts';
import { key } from '../../../infra/queue/names.ts';
import { redisForTest } from '../../support/queue.ts';

test('a worker is counted until it says goodbye, and nothing stays of one that was killed', async () => {
  const { url } = await redisForTest();
  const redis = new Redis(url);
  onTestFinished(() => redis.disconnect());
  const worker = announceWorker(redis, { id: 'w-1', host: 'web-1', concurrency: 4 });
  await expect.poll(() => countWorkers(redis), { timeout: 30_000 }).toBe(1);
  // One that is killed says nothing any more: the list of workers expires by itself.
  expect(await redis.pttl(key('workers'))).toBeGreaterThan(0);
  await worker.stop();
  expect(await countWorkers(redis)).toBe(0);
});
