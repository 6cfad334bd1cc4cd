import { expect, test } from 'vitest';
import type { FaultKind, PlacedFault } from '../../../infra/sandbox/slack/faults.ts';
import { alertSite, course, expectWhole, notice, tell } from '../../support/alert-groups.ts';
import { ALERTS, OPS, PID_ROUTE } from '../../support/alert-routing.ts';
import { botForTest, quiet, reportFor, shown, threadsIn } from '../../support/bot.ts';
import { arrival, redisForTest } from '../../support/queue.ts';

test.each<FaultKind>(['429', '500', 'drop', 'after-effect-500', 'after-effect-drop'])(
  'with one %s for every kind of post and edit, each is made exactly once',
  async (kind) => {
    const { slack, queue } = await alertSite({ routes: [PID_ROUTE] });
    const struck: PlacedFault[] = [];
    const strike = (method: string, match?: (args: Record<string, unknown>) => boolean) =>
      struck.push(slack.faults.add({ kind, method, retryAfter: 1, ...(match === undefined ? {} : { match }) }));
    strike('chat.postMessage', (args) => args.thread_ts === undefined);
    strike('chat.postMessage', (args) => args.thread_ts !== undefined);
    strike('chat.postMessage', (args) => JSON.stringify(args).includes('fires again'));
    strike('chat.update');
    strike('files.completeUploadExternal');
    await course(queue);
    expect(struck.map(({ left }) => left)).toEqual(struck.map(() => 0));
    expectWhole(slack, 1);
    expect(shown(threadsIn(slack, ALERTS)[0])).toMatch(/^🔴/u);
  },
);

test('news that is delivered twice, and by two bots, makes every post once', async () => {
  const { slack, redis, queue, alerts, asked } = await alertSite({ routes: [PID_ROUTE] });
  await botForTest(slack, redis.url, { alerts });
  const [begin, end, again] = [notice(), notice({ status: 'resolved' }), notice()];
  await Promise.all(
    [begin, end, again].flatMap((news, index) =>
      ['a', 'b', 'c'].map((copy) => tell(queue, news, `alert-copy-${index}-${copy}`)),
    ),
  );
  await quiet(queue);
  expect(threadsIn(slack, ALERTS)).toHaveLength(1);
  expect(asked.length).toBeLessThanOrEqual(1);
  expect(shown(threadsIn(slack, ALERTS)[0])).toMatch(/told 3 times/);
});

test('two bots and many groups at once: every group has its one thread and its one look', async () => {
  const { slack, redis, queue, alerts, asked } = await alertSite({
    routes: [PID_ROUTE],
    limits: { groupsPerMinute: 100, looksPerHost: 20, looks: 20 },
  });
  const second = await botForTest(slack, redis.url, { alerts });
  const pids = Array.from({ length: 8 }, (_, index) => 100 + index);
  await Promise.all(
    pids.flatMap((pid, index) =>
      [1, 2, 3].map((repeat) =>
        tell(
          (index + repeat) % 2 === 0 ? queue : second.queue,
          notice({ group: `${pid}`, title: `group ${pid}`, labels: { pid: String(pid) } }),
        ),
      ),
    ),
  );
  await quiet(queue);
  const threads = threadsIn(slack, ALERTS);
  expect(threads.map((first) => /group (\d+)/.exec(shown(first))?.[1]).sort()).toEqual(pids.map(String));
  expect(asked.map(({ pid }) => pid).sort()).toEqual(pids);
  for (const first of threads) {
    expect(shown(first)).toContain('told 3 times');
    const pid = /group (\d+)/.exec(shown(first))?.[1];
    const replies = slack.thread(ALERTS, first.ts).slice(1).map(shown).join('\n');
    expect(replies).toContain(`rocess ${pid} on web-7`);
    for (const other of pids.map(String).filter((each) => each !== pid)) {
      expect(replies).not.toContain(`rocess ${other} on web-7`);
    }
  }
});

test('Redis restarts while the look runs: its report comes to the thread, and later news finds it', async () => {
  const [started, goOn] = [arrival<void>(), arrival<void>()];
  const { slack, redis, queue } = await alertSite(
    { routes: [PID_ROUTE] },
    {
      handler: async (request) => {
        started.arrive();
        await goOn.promise;
        return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
      },
    },
  );
  await tell(queue, notice());
  await started.promise;
  await redis.close();
  goOn.arrive();
  await redis.restart();
  await slack.waitFor(() => shown(threadsIn(slack, ALERTS)[0]).includes('Main thread waits'), {
    timeoutMs: 60_000,
    what: 'the headline in the first message',
  });
  await tell(queue, notice({ status: 'resolved' }));
  await slack.waitFor(() => shown(threadsIn(slack, ALERTS)[0]).startsWith('🟢'), {
    timeoutMs: 60_000,
    what: 'its end',
  });
  expectWhole(slack);
});

test('a Redis that has forgotten everything: the thread of an alert that goes on is found again', async () => {
  const { slack, queue, redis, alerts, close } = await alertSite({ routes: [{ name: 'web', channel: ALERTS }] });
  const startsAt = Date.now() - 3_600_000;
  await tell(queue, notice({ alert: { startsAt } }));
  await quiet(queue);
  await close();
  await redis.close();
  const empty = await redisForTest();
  const { queue: after } = await botForTest(slack, empty.url, { alerts });
  await tell(after, notice({ alert: { startsAt } }));
  await quiet(after);
  expect(threadsIn(slack, ALERTS)).toHaveLength(1);
  await tell(after, notice({ status: 'resolved', alert: { startsAt } }));
  await quiet(after);
  expect(shown(threadsIn(slack, ALERTS)[0])).toMatch(/^🟢/u);
});

test('a channel that takes no posts: the default channel has the thread', async () => {
  const { slack, queue, log } = await alertSite({
    routes: [{ ...PID_ROUTE, channel: 'C0OLD0001' }],
    defaultChannel: OPS,
  });
  await tell(queue, notice());
  await quiet(queue);
  expect(threadsIn(slack, OPS)).toHaveLength(1);
  expect(log.lines.map(({ message }) => message)).toContain('thread of an alert refused by Slack');
  const ts = threadsIn(slack, OPS)[0]?.ts ?? '';
  await slack.waitFor(() => slack.thread(OPS, ts).some((message) => shown(message).includes('The look is done')), {
    timeoutMs: 60_000,
    what: 'the report',
  });
});

test('a first message that Slack does not like for what it holds is posted bare, and mended by the next edit', async () => {
  const { slack, queue } = await alertSite({ routes: [{ name: 'web', channel: ALERTS }] });
  slack.faults.add({ kind: 'error', method: 'chat.postMessage', error: 'invalid_blocks' });
  await tell(queue, notice());
  await quiet(queue);
  expect(threadsIn(slack, ALERTS).map(shown)).toEqual(['🔴 CPU of checkout is high']);
  await tell(queue, notice());
  await quiet(queue);
  expect(threadsIn(slack, ALERTS)).toHaveLength(1);
  expect(shown(threadsIn(slack, ALERTS)[0])).toContain('told 2 times');
});
