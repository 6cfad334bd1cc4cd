import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../infra/log.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import { QueueUnavailable } from '../../../infra/queue/connection.ts';
import {
  alertIntakeForTest,
  alertServerForTest,
  collectingQueue,
  genericAlert,
  post,
  untilErrands,
} from '../../support/alert-intake.ts';
import { arrival, redisForTest } from '../../support/queue.ts';

test('more at once than it takes are told to come again, and nothing of them is held', async () => {
  const redis = await redisForTest();
  const { queue, errands } = collectingQueue(redis.url);
  const gate = arrival<void>();
  const held: string[] = [];
  const slow = {
    pending: queue.pending,
    notes: queue.notes,
    accept: async (...args: Parameters<typeof queue.accept>) => {
      held.push(args[0].id);
      await gate.promise;
      return queue.accept(...args);
    },
  };
  const server = await alertServerForTest({ queue: slow, limits: { inFlight: 5, queueMs: 60_000 } });
  const sending = Array.from({ length: 5 }, (_, index) => {
    const { body, headers } = genericAlert({ group: `g${index}` });
    return post(server.url('generic'), body, headers);
  });
  await expect.poll(() => held.length, { timeout: 30_000 }).toBe(5);
  for (let index = 0; index < 50; index++) {
    const { body, headers } = genericAlert({ group: `more${index}` });
    const answer = await post(server.url('generic'), body, headers);
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('2');
  }
  gate.arrive();
  for (const { status } of await Promise.all(sending)) expect(status).toBe(202);
  const { body, headers } = genericAlert({ group: 'more0' });
  expect((await post(server.url('generic'), body, headers)).status).toBe(202);
  await untilErrands(queue, errands, 6);
});

test('bodies that together are more than there is room for are refused, and the room is given back', async () => {
  const { server, queue, errands } = await alertIntakeForTest({ limits: { bytes: 300_000 } });
  const part = (size: number) => genericAlert({ annotations: { text: 'x'.repeat(size) }, group: `g${size}` });
  const big = part(400_000);
  expect((await post(server.url('generic'), big.body, big.headers)).status).toBe(503);
  for (let index = 0; index < 10; index++) {
    const { body, headers } = part(200_000 + index);
    expect((await post(server.url('generic'), body, headers)).status).toBe(202);
  }
  await untilErrands(queue, errands, 10);
});

test('a queue that has its fill takes no more until it has been worked on', async () => {
  const redis = await redisForTest();
  // Nobody works on it.
  const queue = openBotQueue({ redisUrl: redis.url, log: silentLog });
  onTestFinished(() => queue.close());
  const server = await alertServerForTest({ queue, limits: { backlog: 3 } });
  const send = async (group: string) => {
    const { body, headers } = genericAlert({ group });
    return post(server.url('generic'), body, headers);
  };
  for (const group of ['a', 'b', 'c']) expect((await send(group)).status).toBe(202);
  await expect.poll(async () => (await send('d')).headers.get('retry-after'), { timeout: 30_000 }).toBe('30');
  expect((await queue.pending()).intake).toBeGreaterThanOrEqual(3);
});

test('without Redis it says so within a second, and takes the same alert once when Redis is back', async () => {
  const { redis, server, queue, errands } = await alertIntakeForTest({ limits: { queueMs: 1_000 } });
  const { body, headers } = genericAlert();
  const before = genericAlert({ group: 'before' });
  expect((await post(server.url('generic'), before.body, before.headers)).status).toBe(202);
  await redis.close();
  const answers = await Promise.all(Array.from({ length: 20 }, () => post(server.url('generic'), body, headers)));
  for (const answer of answers) {
    expect(answer).toMatchObject({ status: 503, body: { error: 'The queue does not take it now; send it again.' } });
    expect(answer.headers.get('retry-after')).toBe('5');
  }
  await redis.restart();
  await expect
    .poll(async () => (await post(server.url('generic'), body, headers)).status, { timeout: 30_000, interval: 200 })
    .toBe(202);
  await untilErrands(queue, errands, 2);
});

test('a queue that hangs is given up in time', async () => {
  const { queue } = await alertIntakeForTest();
  const hanging = {
    pending: () => new Promise<never>(() => undefined),
    notes: { ...queue.notes, claim: () => new Promise<never>(() => undefined) },
    accept: queue.accept,
  };
  const server = await alertServerForTest({ queue: hanging, limits: { queueMs: 50 } });
  const { body, headers } = genericAlert();
  expect((await post(server.url('generic'), body, headers)).status).toBe(503);
});

test('when it dies between remembering and queueing, the next delivery is queued', async () => {
  const { queue, errands } = await alertIntakeForTest();
  let failing = true;
  const server = await alertServerForTest({
    queue: {
      pending: queue.pending,
      notes: queue.notes,
      accept: (...args) => (failing ? Promise.reject(new QueueUnavailable()) : queue.accept(...args)),
    },
  });
  const { body, headers } = genericAlert();
  expect((await post(server.url('generic'), body, headers)).status).toBe(503);
  failing = false;
  expect((await post(server.url('generic'), body, headers)).body.message).toBe('Queued.');
  expect((await post(server.url('generic'), body, headers)).body.message).toBe('Taken before.');
  await untilErrands(queue, errands, 1);
});

test('closing lets what was taken end and refuses the rest', async () => {
  const redis = await redisForTest();
  const { queue, errands } = collectingQueue(redis.url);
  const gate = arrival<void>();
  const begun = arrival<void>();
  const server = await alertServerForTest({
    queue: {
      pending: queue.pending,
      notes: queue.notes,
      accept: async (...args) => {
        begun.arrive();
        await gate.promise;
        return queue.accept(...args);
      },
    },
    limits: { queueMs: 60_000 },
  });
  const { body, headers } = genericAlert();
  const sending = post(server.url('generic'), body, headers);
  await begun.promise;
  const closed = server.close();
  await expect(fetch(server.url('generic'), { method: 'POST' })).rejects.toThrow();
  gate.arrive();
  const answer = await sending;
  expect(answer.status).toBe(202);
  expect(answer.headers.get('connection')).toBe('close');
  await closed;
  await untilErrands(queue, errands, 1);
});
