import { expect, test } from 'vitest';
import { figuresOf } from '../../../bot/alerts/figures.ts';
import { checkRoom, readRoom } from '../../../bot/alerts/room.ts';
import type { BotContext } from '../../../bot/context.ts';
import type { FaultKind } from '../../../infra/sandbox/slack/faults.ts';
import { alertSite, notice, tell } from '../../support/alert-groups.ts';
import { ALERTS, PID_ROUTE } from '../../support/alert-routing.ts';
import { botForTest, quiet, reportFor, shown, threadsIn } from '../../support/bot.ts';
import { arrival } from '../../support/queue.ts';

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

test.each<FaultKind>(['429', 'after-effect-500', 'after-effect-drop'])(
  'a storm over two bots with %s for its posts is one message that lists every group, with one file',
  async (kind) => {
    const { slack, redis, queue, alerts } = await alertSite({
      routes: [{ name: 'all', channel: ALERTS, mention: ['U0ALICE01'] }],
      limits: { groupsPerMinute: 1, stormQuietSeconds: 2 },
    });
    const other = await botForTest(slack, redis.url, { alerts });
    const placed = [
      slack.faults.add({ kind, retryAfter: 1, method: 'chat.postMessage', times: 2 }),
      slack.faults.add({ kind, retryAfter: 1, method: 'chat.update' }),
      slack.faults.add({ kind, retryAfter: 1, method: 'files.completeUploadExternal' }),
    ];
    const queues = [queue, other.queue];
    await Promise.all(
      numbers(30).flatMap((index) =>
        queues.map((each) => tell(each, notice({ group: `g${index}`, title: `Trouble ${index}.`, labels: {} }))),
      ),
    );
    const storm = () => threadsIn(slack, ALERTS).find((message) => shown(message).includes('at once'));
    const filed = () => slack.thread(ALERTS, storm()?.ts ?? '').filter(({ files }) => files !== undefined);
    await slack.waitFor(() => filed().length > 0, { timeoutMs: 60_000, what: 'the file with all' });
    const over = notice({ group: 'g29', title: 'Trouble 29.', labels: {}, status: 'resolved', at: Date.now() });
    await tell(queue, over);
    await quiet(queue);
    const figures = await figuresOf({ queue }, Date.now());
    expect(figures.threads + figures['in-storms']).toBe(30);
    expect(shown(storm())).toContain(`${figures['in-storms']} alerts at once`);
    expect(threadsIn(slack, ALERTS)).toHaveLength(figures.threads + 1);
    const list = slack.files().filter(({ name }) => name === 'alerts.txt');
    const lines = slack
      .fileBytes(list.at(-1)?.id ?? '')
      ?.toString()
      .trim()
      .split('\n');
    expect(lines).toHaveLength(figures['in-storms']);
    expect(new Set(filed().map(({ text }) => text)).size).toBe(filed().length);
    expect(placed.map(({ left }) => left)).toEqual([0, 0, 0]);
  },
);

test('looks that are too many even for waiting are not made, which their threads say', async () => {
  const held = arrival<void>();
  const { slack, queue, asked } = await alertSite(
    { routes: [PID_ROUTE], limits: { looksPerHost: 1, waiting: 1, groupsPerMinute: 100 } },
    {
      handler: async (request) => {
        await held.promise;
        return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
      },
    },
  );
  const say = (pid: number, severity: 'critical' | 'warning' | 'info') =>
    tell(queue, notice({ group: `${pid}`, title: `group ${pid}`, severity, labels: { pid: String(pid) } }));
  await say(1, 'info');
  await slack.waitFor(() => asked.length === 1, { timeoutMs: 30_000, what: 'the first look' });
  const thread = (pid: number) => shown(threadsIn(slack, ALERTS).find((each) => shown(each).includes(`group ${pid}`)));
  await say(2, 'info');
  await slack.waitFor(() => thread(2).includes('Waits for its turn'), { timeoutMs: 30_000, what: 'one that waits' });
  await say(3, 'critical');
  await slack.waitFor(() => thread(2).includes('worse or earlier alerts wait'), {
    timeoutMs: 30_000,
    what: 'one left',
  });
  expect(thread(3)).toContain('Waits for its turn');
  // What is over by the time that there is room is not looked at.
  await tell(queue, notice({ group: '3', title: 'group 3', status: 'resolved', labels: { pid: '3' } }));
  await slack.waitFor(() => thread(3).startsWith('🟢'), { timeoutMs: 30_000, what: 'the end of the third' });
  held.arrive();
  await slack.waitFor(() => thread(3).includes('over before there was room'), { timeoutMs: 30_000, what: 'no look' });
  expect(asked.map(({ pid }) => pid)).toEqual([1]);
  expect(await figuresOf({ queue }, Date.now())).toMatchObject({ 'looks-asked': 3, 'looks-left': 1 });
});

test('room of a look whose end was missed is given to the next', async () => {
  const { queue, log, alerts } = await alertSite({ routes: [], limits: { looks: 1 } });
  const look = { id: 'r-lost', group: 'g', host: 'web-7', severity: 'info' as const, at: 0 };
  await queue.notes.set(
    'alert-room',
    'looks',
    { running: [{ ...look, begun: Date.now() - 21 * 60_000 }], waiting: [] },
    60,
  );
  const bot: Pick<BotContext, 'queue' | 'log' | 'alerts'> = { queue, log, alerts };
  await checkRoom(bot);
  expect(await readRoom({ queue })).toEqual({ running: [], waiting: [] });
  expect(log.lines.map(({ message }) => message)).toContain('end of an alert’s look was missed; its room is free');
});
