import { expect, test } from 'vitest';
import { figuresOf } from '../../../bot/alerts/figures.ts';
import { letIn, type Room, readRoom } from '../../../bot/alerts/room.ts';
import { alertSite, notice, tell } from '../../support/alert-groups.ts';
import { ALERTS, OPS, PID_ROUTE } from '../../support/alert-routing.ts';
import { quiet, reportFor, shown, threadsIn } from '../../support/bot.ts';
import { arrival } from '../../support/queue.ts';

test('two groups with the same cause in the same process point to each other, and the report is told once', async () => {
  const { slack, queue, asked } = await alertSite({ routes: [PID_ROUTE] });
  await tell(queue, notice({ group: 'cpu', title: 'CPU is high' }));
  await quiet(queue);
  await tell(queue, notice({ group: 'latency', title: 'Answers are slow' }));
  await quiet(queue);
  expect(asked).toHaveLength(2);
  const [cpu, latency] = threadsIn(slack, ALERTS);
  expect(shown(cpu)).toContain('signal-handler-deadlock');
  expect(shown(cpu)).toContain('Answers are slow');
  expect(shown(latency)).toContain('CPU is high');
  const links = (message: unknown) => JSON.stringify(message).match(/"url":"[^"]*archives[^"]*"/g) ?? [];
  expect(links(cpu?.blocks)[0]).toContain(latency?.ts.replace('.', ''));
  expect(links(latency?.blocks)[0]).toContain(cpu?.ts.replace('.', ''));
  const reports = [cpu, latency].map((first) =>
    slack.thread(ALERTS, first?.ts ?? '').filter((message) => shown(message).includes('The look is done')),
  );
  expect(reports.map((messages) => messages.length)).toEqual([1, 0]);
  const second = slack
    .thread(ALERTS, latency?.ts ?? '')
    .map(shown)
    .join('\n');
  expect(second).toContain('where the report is');
  // News of either group changes neither link.
  await tell(queue, notice({ group: 'latency', title: 'Answers are slow' }));
  await quiet(queue);
  expect(links(threadsIn(slack, ALERTS)[1]?.blocks)).toHaveLength(1);
});

test('a thread that others may not know of is no twin: the report is told where it is read', async () => {
  const { slack, queue } = await alertSite({
    routes: [
      { ...PID_ROUTE, name: 'kept', channel: OPS, severity: ['critical'] },
      { ...PID_ROUTE, name: 'all', channel: ALERTS },
    ],
  });
  const ops = slack.world.channels.find(({ id }) => id === OPS);
  if (ops === undefined) throw new Error('there is no #ops');
  ops.isPrivate = true;
  await tell(queue, notice({ group: 'cpu', title: 'CPU is high' }));
  await quiet(queue);
  await tell(queue, notice({ group: 'latency', title: 'Answers are slow', severity: 'warning' }));
  await quiet(queue);
  const [latency] = threadsIn(slack, ALERTS);
  expect(JSON.stringify(latency)).not.toContain('CPU is high');
  const thread = slack.thread(ALERTS, latency?.ts ?? '').map(shown);
  expect(thread.join()).toContain('The look is done');
  expect(thread.join()).not.toContain('where the report is');
});

const wanted = (id: string, host: string, severity: 'critical' | 'warning' | 'info', at = 0) => ({
  id,
  group: id,
  host,
  severity,
  at,
});

test('room is given to the worst and then to the oldest, within both limits', () => {
  const room: Room = {
    running: [{ ...wanted('a', 'web-7', 'info'), begun: 0 }],
    waiting: [
      wanted('b', 'web-7', 'warning', 1),
      wanted('c', 'web-8', 'info', 2),
      wanted('d', 'web-7', 'critical', 3),
      wanted('e', 'db-1', 'warning', 1),
      wanted('f', 'db-1', 'warning', 0),
    ],
  };
  const limits = { looks: 4, looksPerHost: 2, waiting: 1 };
  const { room: after, begun, turnedAway } = letIn(room, limits, 9);
  expect(begun.map(({ id }) => id)).toEqual(['d', 'f', 'e']);
  expect(after.running.map(({ id }) => id)).toEqual(['a', 'd', 'f', 'e']);
  expect(after.waiting.map(({ id }) => id)).toEqual(['b']);
  expect(turnedAway.map(({ id }) => id)).toEqual(['c']);
});

test('more new groups a minute than a channel takes share one message, which follows what becomes of them', async () => {
  const { slack, queue } = await alertSite({
    routes: [{ name: 'all', channel: ALERTS }],
    limits: { groupsPerMinute: 3, stormQuietSeconds: 2 },
  });
  const group = (index: number) => ({
    group: `group ${index}`,
    title: `Trouble number ${index}.`,
    severity: index % 10 === 0 ? ('critical' as const) : ('warning' as const),
  });
  const all = Array.from({ length: 40 }, (_, index) => index);
  // One after the other the first three: which of all get a thread is then known.
  for (const index of all.slice(0, 3)) {
    await tell(queue, notice(group(index)));
    await quiet(queue);
  }
  await Promise.all(all.slice(3).map((index) => tell(queue, notice(group(index)))));
  const figures = () => figuresOf({ queue }, Date.now());
  await expect
    .poll(async () => (await figures())['in-storms'] + (await figures()).threads, { timeout: 60_000 })
    .toBe(40);
  // One more has a thread where a new minute began in between.
  const { threads, 'in-storms': inStorm } = await figures();
  expect(threads).toBeLessThanOrEqual(4);
  const storm = () => threadsIn(slack, ALERTS).find((message) => shown(message).includes('at once'));
  await slack.waitFor(() => shown(storm()).includes(`${inStorm} alerts at once`), {
    timeoutMs: 60_000,
    what: 'all in it',
  });
  expect(threadsIn(slack, ALERTS)).toHaveLength(threads + 1);
  expect(shown(storm())).toContain(`${inStorm} firing: 3 critical and ${inStorm - 3} warning`);
  expect(shown(storm())).toContain('Trouble number 30.');
  expect(shown(storm())).toContain(`and ${inStorm - 20} more`);
  await slack.waitFor(() => slack.thread(ALERTS, storm()?.ts ?? '').some((message) => message.files !== undefined), {
    timeoutMs: 60_000,
    what: 'the file with all',
  });
  const file = slack.files().find(({ name }) => name === 'alerts.txt');
  const list = slack.fileBytes(file?.id ?? '')?.toString() ?? '';
  expect(list.trim().split('\n')).toHaveLength(inStorm);
  expect(list).toContain('Trouble number 30.');
  await Promise.all(all.map((index) => tell(queue, notice({ ...group(index), status: 'resolved' }))));
  await slack.waitFor(() => shown(storm()).includes(`${inStorm} resolved`), {
    timeoutMs: 60_000,
    what: 'the end of all',
  });
  expect(shown(storm())).toContain(`🟢 ${inStorm} alerts at once`);
  expect(threadsIn(slack, ALERTS)).toHaveLength(threads + 1);
  expect(await figures()).toMatchObject({ notices: 80, threads, 'in-storms': inStorm });
});

test('groups of a storm are looked at in its thread, the worst first', async () => {
  const held = arrival<void>();
  const { slack, queue, asked } = await alertSite(
    {
      routes: [PID_ROUTE],
      limits: { groupsPerMinute: 1, looksPerHost: 1, stormQuietSeconds: 2 },
    },
    {
      handler: async (request) => {
        if (request.pid === 1) await held.promise;
        const report = reportFor(request);
        return { outcome: { kind: 'report', report }, files: [] };
      },
    },
  );
  const say = (pid: number, severity: 'critical' | 'warning' | 'info') =>
    tell(queue, notice({ group: `${pid}`, title: `group ${pid}`, severity, labels: { pid: String(pid) } }));
  await say(1, 'info');
  await slack.waitFor(() => asked.length === 1, { timeoutMs: 30_000, what: 'the first look' });
  await say(2, 'info');
  await say(3, 'critical');
  await say(4, 'warning');
  await slack.waitFor(() => shown(threadsIn(slack, ALERTS)[1]).includes('3 alerts at once'), {
    timeoutMs: 30_000,
    what: 'the storm',
  });
  await expect.poll(async () => (await readRoom({ queue })).waiting.length, { timeout: 30_000 }).toBe(3);
  expect(asked).toHaveLength(1);
  held.arrive();
  await slack.waitFor(() => asked.length === 4, { timeoutMs: 60_000, what: 'all looks' });
  expect(asked.map(({ pid }) => pid)).toEqual([1, 3, 4, 2]);
  const ts = threadsIn(slack, ALERTS)[1]?.ts ?? '';
  const done = () => slack.thread(ALERTS, ts).filter((message) => shown(message).includes('The look is done'));
  await slack.waitFor(() => done().length === 3, { timeoutMs: 60_000, what: 'all reports' });
  expect(asked.slice(1).map(({ origin }) => origin.kind === 'slack' && origin.threadTs)).toEqual([ts, ts, ts]);
  await expect.poll(() => readRoom({ queue }), { timeout: 30_000 }).toEqual({ running: [], waiting: [] });
});
