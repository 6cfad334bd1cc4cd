import { expect, test } from 'vitest';
import { loadWatch, runningWatches, saveWatch } from '../../bot/watches/state.ts';
import { botForTest, shown, slackForTest } from '../support/bot.ts';
import { redisForTest } from '../support/queue.ts';
import { healthyReport, sickReport } from '../support/reports.ts';
import { EVERY, looks, only, replies, reply, thread } from './watch.parts.ts';

test('watch shows how the figures move in one message, from looks that do nothing to the process', async () => {
  const { slack, ts, place, process, queue } = await thread();
  const before = slack.thread('ops', ts).length;
  slack.user('bob').say('watch 5', place);
  await reply(slack, ts, 'Watching process 6325 on web-7');
  await looks(process, 4);
  await slack.waitFor(
    () => /CPU +[▁▂▃▄▅▆▇█]{4,} {2}10 % → [4-9]\d+ %/u.test(shown(replies(slack, ts, 'Watching')[0])),
    {
      timeoutMs: 30_000,
      what: 'a curve',
    },
  );
  expect(shown(replies(slack, ts, 'Watching')[0])).toMatch(/memory +\S+ {2}101 MiB → 10\d MiB/);
  expect(process.looks[0]).toMatchObject({ playbook: 'watch', allow: ['none'], host: 'web-7', pid: 6325 });
  expect(new Set(process.looks.map(({ id }) => id)).size).toBe(process.looks.length);
  expect(process.looks[2]?.startTime).toBe(healthyReport.target.startTime);
  // What was said and the watch's own message; nothing else of so many looks.
  expect(slack.thread('ops', ts)).toHaveLength(before + 2);
  slack.user('alice').say('cancel', place);
  await reply(slack, ts, 'The watch of process 6325 on web-7 has ended.');
  await reply(slack, ts, 'Watched process 6325 on web-7 for');
  expect(await runningWatches(queue, () => true)).toEqual([]);
});

test('it speaks up when a finding appears and when it goes, once each', async () => {
  const { slack, ts, place, process } = await thread();
  slack.user('bob').say('@straceback watch', place);
  await reply(slack, ts, 'Watching process 6325 on web-7');
  await looks(process, 2);
  process.report = sickReport;
  await reply(slack, ts, `While watching process 6325 on web-7: ${sickReport.findings[0]?.title}`);
  await looks(process, 3);
  process.report = {
    ...healthyReport,
    ruledOut: [{ cause: sickReport.findings[0]?.cause ?? '', why: 'nobody waits for a lock' }],
  };
  await reply(slack, ts, 'no longer found');
  await looks(process, 3);
  expect(replies(slack, ts, 'While watching')).toHaveLength(
    sickReport.findings.filter((each) => each.confidence >= 0.5).length + 1,
  );
});

test('when the process ends, the watch ends and says so', async () => {
  const { slack, ts, place, process, queue } = await thread();
  slack.user('bob').say('watch 5', place);
  await reply(slack, ts, 'Watching process 6325 on web-7');
  await looks(process, 2);
  process.gone = true;
  await reply(
    slack,
    ts,
    'I no longer watch process 6325 on web-7: The process is gone. There is no process 6325 on web-7.',
  );
  await reply(slack, ts, 'Watched process 6325 on web-7 for');
  expect(await runningWatches(queue, () => true)).toEqual([]);
});

test('said again, it gets a new end; another process gets a watch of its own', async () => {
  const { slack, ts, place, process, queue } = await thread();
  slack.user('bob').say('watch 5', place);
  await reply(slack, ts, 'Watching process 6325 on web-7');
  await looks(process, 1);
  const { until } = await only(queue);
  slack.user('alice').say('watch 90 min', place);
  await reply(slack, ts, 'I watch process 6325 on web-7 already; now until');
  expect((await only(queue)).until).toBeGreaterThan(until + 80 * 60_000);
  slack.user('alice').say('watch 5 on web-8 77', place);
  await reply(slack, ts, 'Watching process 77 on web-8');
  expect(replies(slack, ts, 'Watching process')).toHaveLength(2);
  slack.user('bob').say('cancel', place);
  await reply(slack, ts, 'The watch of process 77 on web-8 has ended.');
  expect(await runningWatches(queue, () => true)).toEqual([]);
});

test('it ends by itself when its time is over, and goes on when it got more time in the last moment', async () => {
  const { slack, ts, place, process, queue } = await thread();
  slack.user('bob').say('watch 5', place);
  await reply(slack, ts, 'Watching process 6325 on web-7');
  await looks(process, 2);
  const { id } = await only(queue);
  const soon = Date.now() + 300;
  await queue.alone('watch', id, async () => {
    const watch = await loadWatch(queue, id);
    if (watch === null) throw new Error('it is not known');
    await saveWatch(queue, { ...watch, until: soon });
  });
  const work = { kind: 'errand', errand: 'watch', data: { watch: id }, at: Date.now() } as const;
  await queue.accept({ ...work, id: `early-${id}` });
  await queue.accept({ ...work, id: `due-${id}` }, 300);
  await reply(slack, ts, 'Its time is over.');
  expect(replies(slack, ts, 'I no longer watch')).toEqual([]);
  const { length } = process.looks;
  slack.user('bob').say('watch 5', place);
  await slack.waitFor(() => replies(slack, ts, 'Watching process 6325').length === 1, {
    timeoutMs: 30_000,
    what: 'a new watch',
  });
  await expect.poll(() => process.looks.length, { timeout: 30_000 }).toBeGreaterThan(length);
});

test.each([
  ['watch 0', 'I can watch for 1 to 120 minutes'],
  ['watch 500', 'I can watch for 1 to 120 minutes'],
  ['watch forever', 'Say for how many minutes'],
  ['watch 5 on web-7', 'After on come a host and a pid'],
  ['watch 5 on nohost 7', 'I know no host called'],
])('%s is answered with what to say', async (words, answer) => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  await botForTest(slack, redis.url, EVERY);
  const { ts } = slack.user('bob').say(`@straceback ${words}`, { channel: 'ops' });
  await slack.waitFor(
    () => slack.thread('ops', ts).some((message) => shown(message).replaceAll('\n', '').includes(answer)),
    {
      timeoutMs: 30_000,
      what: answer,
    },
  );
});

test('without a worker it says that nothing is looked at yet', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  await botForTest(slack, redis.url, EVERY);
  const { ts } = slack.user('bob').say('@straceback watch 5 on web-7 6325', { channel: 'ops' });
  await reply(slack, ts, 'No worker is running now; the first look is made when one does.');
  slack.user('bob').say('@straceback cancel', { channel: 'ops', threadTs: ts });
  await reply(slack, ts, 'The watch of process 6325 on web-7 has ended.');
});
