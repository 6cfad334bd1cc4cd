import { expect, test } from 'vitest';
import { runningWatches } from '../../bot/watches/state.ts';
import type { Request } from '../../playbooks/model/index.ts';
import { botForTest, slackForTest, workerForTest } from '../support/bot.ts';
import { arrival, redisForTest } from '../support/queue.ts';
import { sickReport } from '../support/reports.ts';
import { EVERY, looks, only, replies, reply, thread, workOn } from './watch.parts.ts';

test('two bots, repeated events, and posts that Slack made and denied: one message, each word once', async () => {
  const { slack, redis, ts, place, process } = await thread();
  await botForTest(slack, redis.url, EVERY);
  slack.events.repeat(2);
  slack.faults.add({
    kind: 'after-effect-500',
    method: 'chat.postMessage',
    match: ({ thread_ts }) => thread_ts === ts,
  });
  slack.user('bob').say('watch 5', place);
  await reply(slack, ts, 'Watching process 6325 on web-7');
  await looks(process, 2);
  slack.faults.add({
    kind: 'after-effect-drop',
    method: 'chat.postMessage',
    match: ({ thread_ts }) => thread_ts === ts,
  });
  slack.faults.add({ kind: '500', method: 'chat.update', times: 3 });
  slack.faults.add({ kind: '429', method: 'chat.update', retryAfter: 1 });
  process.report = { ...sickReport, findings: sickReport.findings.slice(0, 1) };
  await reply(slack, ts, 'While watching process 6325 on web-7');
  await looks(process, 4);
  expect(replies(slack, ts, 'Watching process 6325')).toHaveLength(1);
  expect(replies(slack, ts, 'While watching')).toHaveLength(1);
  expect(new Set(process.looks.map(({ id }) => id)).size).toBe(process.looks.length);
});

test('it goes on after restarts of bot, worker and Redis in the middle', async () => {
  const { slack, redis, ts, place, process, first, worker } = await thread();
  slack.user('bob').say('watch 5', place);
  await reply(slack, ts, 'Watching process 6325 on web-7');
  await looks(process, 2);
  await first.close();
  const { queue } = await botForTest(slack, redis.url, EVERY);
  await looks(process, 2);
  await worker.close();
  const next = workOn(redis.url, process);
  await looks(process, 2);
  await redis.close();
  await redis.restart();
  await looks(process, 3);
  process.report = { ...sickReport, findings: sickReport.findings.slice(0, 1) };
  await reply(slack, ts, 'While watching process 6325 on web-7');
  expect(replies(slack, ts, 'Watching process 6325')).toHaveLength(1);
  expect((await only(queue)).round).toBeGreaterThan(6);
  await next.close();
});

test('cancelled while a look of it runs: the look ends too, and nothing more comes', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const { queue } = await botForTest(slack, redis.url, EVERY);
  const started = arrival<Request>();
  const ended = arrival<unknown>();
  workerForTest(redis.url, async (request, { signal }) => {
    started.arrive(request);
    return await new Promise((_resolve, reject) =>
      signal.addEventListener('abort', () => {
        ended.arrive(signal.reason);
        reject(signal.reason);
      }),
    );
  });
  const { ts } = slack.user('bob').say('@straceback watch 5 on web-7 6325', { channel: 'ops' });
  await started.promise;
  slack.user('bob').say('@straceback cancel', { channel: 'ops', threadTs: ts });
  await reply(slack, ts, 'The watch of process 6325 on web-7 has ended.');
  expect(await ended.promise).toMatchObject({ code: 'cancelled' });
  await expect.poll(() => queue.pending().then(({ looks, answers }) => looks + answers), { timeout: 30_000 }).toBe(0);
  expect(replies(slack, ts, 'cancelled')).toEqual([]);
  expect(await runningWatches(queue, () => true)).toEqual([]);
});
