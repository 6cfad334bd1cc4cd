import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../infra/log.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import { observeQueue } from '../../../infra/queue/observer.ts';
import { redisForTest } from '../../support/queue.ts';

test('people do not wait behind alerts: what has the last turn is begun when nothing else waits, and counts as waiting', async () => {
  const { url } = await redisForTest();
  const queue = openBotQueue({ redisUrl: url, log: silentLog });
  onTestFinished(() => queue.close());
  const observer = observeQueue(url, silentLog);
  onTestFinished(() => observer.close());
  const accept = (id: string, turn: 'in-order' | 'last') =>
    queue.accept({ kind: 'errand', id, errand: 'any', data: {}, at: Date.now() }, 0, turn);
  const alerts = Array.from({ length: 60 }, (_, index) => `alert-${index}`);
  for (const id of alerts) await accept(id, 'last');
  const people = Array.from({ length: 20 }, (_, index) => `person-${index}`);
  for (const id of people) await accept(id, 'in-order');
  expect((await queue.pending()).intake).toBe(80);
  expect(await observer.depths()).toContainEqual({ queue: 'intake', state: 'waiting', count: 80 });
  expect((await observer.oldest()).get('intake')).toBeGreaterThan(0);
  const begun: string[] = [];
  queue.onIntake(async ({ id }) => void begun.push(id));
  await expect.poll(() => begun.length, { timeout: 30_000 }).toBe(80);
  // Twenty are worked on at a time; as soon as one of them ends, an alert may begin beside the others.
  for (const id of people) expect(begun.indexOf(id)).toBeLessThan(40);
  expect([...begun].sort()).toEqual([...people, ...alerts].sort());
});
