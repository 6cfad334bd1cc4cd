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
  await vi.waitFor(() => expect(Math.abs(bot.now() - real())).toBeLessThan(10_000), 10_000);
  const request = requestForTest({ requestedAt: bot.now() });
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

test.each([
  ['behind', -90_000],
  ['ahead', 90_000],
])('the time that bots share is Redis’s for one whose clock is %s', async (_, offset) => {
  const { url } = await redisForTest();
  const real = Date.now;
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => real() + offset);
  onTestFinished(() => clock.mockRestore());
  const bot = openBotQueue({ redisUrl: url, log: silentLog });
  onTestFinished(() => bot.close());
  await vi.waitFor(() => expect(Math.abs(bot.now() - real())).toBeLessThan(10_000), 10_000);
  // A clock that is set while it runs changes nothing.
  clock.mockImplementation(() => real() + 3 * offset);
  expect(Math.abs(bot.now() - real())).toBeLessThan(10_000);
});

test('a bot whose clock is ahead begins nothing before its time', async () => {
  const { url } = await redisForTest();
  const right = openBotQueue({ redisUrl: url, log: silentLog });
  onTestFinished(() => right.close());
  expect(await right.healthy()).toBe(true);
  await right.accept({ kind: 'errand', id: 'later', errand: 'x', data: {}, at: right.now() }, 4_000);
  const accepted = right.now();
  const real = Date.now;
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => real() + 90_000);
  onTestFinished(() => clock.mockRestore());
  const ahead = openBotQueue({ redisUrl: url, log: silentLog });
  onTestFinished(() => ahead.close());
  const begun = arrival<number>();
  ahead.onIntake(async () => begun.arrive(real()));
  // Half of what it was put off for: what is due within a second is begun.
  expect(await begun.promise).toBeGreaterThan(accepted + 2_000);
});
