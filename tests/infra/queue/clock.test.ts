import { expect, onTestFinished, test, vi } from 'vitest';
import { silentLog } from '../../../infra/log.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import { openWorkerQueue } from '../../../infra/queue/worker-side.ts';
import { arrival, redisForTest, requestForTest } from '../../support/queue.ts';

test.each([
  ['behind', -90_000],
  ['ahead of', 90_000],
])('a worker knows by its own clock when a look was asked for by a bot whose clock is %s it', async (_, offset) => {
  const { url } = await redisForTest();
  const bot = openBotQueue({ redisUrl: url, log: silentLog });
  onTestFinished(() => bot.close());
  const worker = openWorkerQueue({ redisUrl: url, concurrency: 1, log: silentLog });
  onTestFinished(() => worker.close());
  const real = Date.now;
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => real() + offset);
  onTestFinished(() => clock.mockRestore());
  const before = real();
  const request = requestForTest({ requestedAt: Date.now() });
  await bot.enqueue(request);
  clock.mockRestore();
  const asked = arrival<number>();
  worker.work(async (_request, tools) => {
    asked.arrive(tools.askedAt);
    return { outcome: { kind: 'failure', failure: { code: 'internal', sentence: 'x' } }, files: [] };
  });
  const askedAt = await asked.promise;
  // Redis and Node.js round to milliseconds, each for itself.
  expect(askedAt).toBeGreaterThanOrEqual(before - 1_000);
  expect(askedAt).toBeLessThanOrEqual(Date.now() + 1_000);
});
