import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { openKeptHistory } from '../../infra/history/open.ts';
import type { Place } from '../../infra/history/trouble.ts';
import { silentLog } from '../../infra/log.ts';
import { openBotQueue } from '../../infra/queue/bot-side.ts';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';
import { botForTest, finishedThread, quiet, shown, slackForTest, threadsIn, workerForTest } from '../support/bot.ts';
import { inDatabase, KINDS, placeForTest } from '../support/history.ts';
import { redisForTest } from '../support/queue.ts';
import { sickReport } from '../support/reports.ts';

/** A bot with a history at a place, and a worker whose looks find the sick report. */
const world = async (place: Place) => {
  const [slack, redis] = await Promise.all([slackForTest(), redisForTest()]);
  const reading = openBotQueue({ redisUrl: redis.url, log: silentLog });
  onTestFinished(() => reading.close());
  const config = { history: { place, retentionDays: 730, evidenceRetentionDays: 30 } };
  const history = openKeptHistory({ config, redisUrl: redis.url, queue: reading, log: silentLog });
  if (history === undefined) throw new Error('no history');
  let closed: Promise<void> | null = null;
  const close = () => {
    closed ??= history.close();
    return closed;
  };
  onTestFinished(close);
  const first = await botForTest(slack, redis.url, { history });
  const { queue } = first;
  workerForTest(redis.url);
  const bob = slack.user('bob');
  const say = async (text: string, channel = 'ops') =>
    (await bob.slash('/diagnose', text, channel)).responses[0]?.text ?? '';
  /** Another bot in the place of the first: it knows nothing of what Slack said to that one. */
  const restart = async () => {
    await first.close();
    return (await botForTest(slack, redis.url, { history })).queue;
  };
  return { slack, queue, history, bob, say, close, redis, restart };
};

const firstWith = (slack: LocalSlack, words: RegExp, channel = 'ops'): Promise<SlackMessage> =>
  slack.waitFor(() => threadsIn(slack, channel).find((message) => words.test(shown(message))), {
    timeoutMs: 60_000,
    what: `a first message with ${words}`,
  });

const soon = { timeout: 60_000 };
const KIND = KINDS[0];

test('what was looked at is listed, and under a report stands when it was seen before and what helped', async () => {
  const place = await placeForTest(KIND);
  const { slack, queue, bob, say, close } = await world(place);
  await say('web-7 6325');
  const [first] = await finishedThread(slack, 'ops');
  await quiet(queue);
  // Nothing was seen before: nothing is said.
  expect(threadsIn(slack, 'ops').map(shown).join()).not.toContain('Seen before');
  bob.say('<@U0STRACE1> resolve restarted the pool <!channel>', { channel: 'ops', threadTs: first?.ts ?? '' });
  await firstWith(slack, /✅/);
  await expect.poll(() => say('history'), soon).toMatch(/^1 look, page 1 of 1/);
  await say('web-8 77');
  const second = await firstWith(slack, /Seen before/);
  expect(shown(second)).toMatch(/Seen before: 1 time on .* UTC on web-7 \(/);
  expect(shown(second)).toContain('What helped: “restarted the pool');
  expect(JSON.stringify(second.blocks)).toContain(`p${first?.ts.replace('.', '')}`);
  // It is a line of the report's message, and no message of its own.
  expect(slack.thread('ops', second.ts).filter((message) => shown(message).includes('Seen before'))).toHaveLength(1);
  expect(shown(second)).toContain('🔴');
  await expect.poll(() => say('history web-8'), soon).toMatch(/1 look of .*web-8/);
  const list = await say('history');
  expect(list).toContain('process 77 on `web-8`: Main thread waits');
  expect(list).toContain('(`signal-handler-deadlock`, sure (97 %))');
  expect(list).toContain('/archives/C0OPS0001/p');
  expect(await say('history signal-handler-deadlock 2')).toContain('There is no page 2; the last one is 1.');
  expect(await say('history nothing-like-it')).toContain('The history has no look of');
  await quiet(queue);
  await close();
  await inDatabase(place, async (database) => {
    expect(await database.selectFrom('resolutions').select('note').execute()).toEqual([
      { note: 'restarted the pool <!channel>' },
    ]);
    const [evidence] = await database.selectFrom('evidence').select(['name', 'content']).execute();
    expect(evidence?.name).toBe('E1-identify.txt');
    expect(evidence?.content).not.toBeNull();
  });
});

test('looks of a private channel are listed there alone, and nowhere said to have been seen', async () => {
  const { slack, queue, say } = await world(await placeForTest(KIND));
  const alerts = slack.world.channels.find(({ name }) => name === 'alerts');
  if (alerts === undefined) throw new Error('there is no #alerts');
  alerts.isPrivate = true;
  await say('web-7 6325', 'alerts');
  await finishedThread(slack, 'alerts');
  await say('web-7 6325', 'ops');
  await finishedThread(slack, 'ops');
  await expect.poll(() => say('history', 'alerts'), soon).toMatch(/^2 looks, page 1 of 1/);
  await expect
    .poll(() => say('history', 'ops'), soon)
    .toMatch(/^1 look, page 1 of 1[\s\S]*1 look in private channels is left out; ask there to see them\.$/);
  await quiet(queue);
  expect(threadsIn(slack, 'ops').map(shown).join()).not.toContain('Seen before');
});

test('a channel that another organization reads is told of itself alone', async () => {
  const { slack, queue, say } = await world(await placeForTest(KIND));
  const alerts = slack.world.channels.find(({ name }) => name === 'alerts');
  if (alerts === undefined) throw new Error('there is no #alerts');
  alerts.isExtShared = true;
  await say('web-7 6325', 'ops');
  await finishedThread(slack, 'ops');
  await say('web-7 6325', 'alerts');
  await finishedThread(slack, 'alerts');
  await quiet(queue);
  expect(threadsIn(slack, 'alerts').map(shown).join()).not.toContain('Seen before');
  await say('web-8 77', 'alerts');
  expect(shown(await firstWith(slack, /Seen before/, 'alerts'))).toContain('Seen before: 1 time');
  // What is found there is told to the people of this workspace, whose channel it is, too.
  await say('web-8 77', 'ops');
  expect(shown(await firstWith(slack, /Seen before/, 'ops'))).toMatch(/Seen before: 3 times/);
  await quiet(queue);
});

test('what was said in a channel that is private by now is not told elsewhere, also when a newer look is', async () => {
  const { slack, queue, bob, say, restart } = await world(await placeForTest(KIND));
  await say('web-7 6325', 'alerts');
  const [told] = await finishedThread(slack, 'alerts');
  bob.say('<@U0STRACE1> resolve asked carol-of-payroll', { channel: 'alerts', threadTs: told?.ts ?? '' });
  await firstWith(slack, /✅/, 'alerts');
  await say('web-7 6325', 'ops');
  expect(shown(await firstWith(slack, /Seen before/))).toContain('carol-of-payroll');
  await quiet(queue);
  const alerts = slack.world.channels.find(({ name }) => name === 'alerts');
  if (alerts === undefined) throw new Error('there is no #alerts');
  alerts.isPrivate = true;
  const next = await restart();
  await say('web-8 77', 'ops');
  const third = await slack.waitFor(
    () => threadsIn(slack, 'ops').find((message) => /77[\s\S]*Seen before/.test(shown(message))),
    { timeoutMs: 60_000, what: 'the third look says what was seen before' },
  );
  expect(shown(third)).toContain('Seen before: 1 time');
  expect(shown(third)).not.toContain('carol-of-payroll');
  await quiet(next);
});

test('a secret in what helped is kept nowhere, and the thread tells its looks when their answers are gone', async () => {
  const { slack, queue, bob, say, history, redis } = await world(await placeForTest(KIND));
  await say('web-7 6325');
  const [first] = await finishedThread(slack, 'ops');
  const place = { channel: 'ops', threadTs: first?.ts ?? '' };
  const token = ['xoxb', '123456789012', '1234567890123', 'aB3dE5fG7hI9jK1lM2nO4pQ6'].join('-');
  bob.say(`<@U0STRACE1> resolve set SLACK_TOKEN=${token} anew`, place);
  await firstWith(slack, /✅/);
  await expect.poll(() => say('history'), soon).toMatch(/^1 look, page 1 of 1/);
  await quiet(queue);
  const client = new Redis(redis.url);
  onTestFinished(() => void client.disconnect());
  // As after a day.
  const answers = await client.keys('*answer*');
  for (const key of answers) await client.del(key);
  expect(answers.length).toBeGreaterThan(0);
  bob.say('<@U0STRACE1> history', place);
  const line = await slack.waitFor(
    () => slack.thread('ops', place.threadTs).find((message) => shown(message).includes('One look in this thread')),
    { timeoutMs: 60_000, what: 'the looks of the thread' },
  );
  expect(shown(line).replaceAll('\n', '')).toMatch(
    /asked by Bob.*process 6325 on web-7.*Main thread waits.*signal-handler-deadlock/,
  );
  expect(history.keptDays).toBe(730);
  const report = sickReport;
  const [finding] = report.findings;
  if (finding === undefined) throw new Error('no finding');
  const seen = await history.seenBefore({
    target: report.target,
    finding,
    channel: 'C0OPS0001',
    threadTs: '1.1',
    onlyThere: false,
    at: Date.now(),
  });
  expect(seen?.helped[0]?.words).toContain('SLACK_TOKEN=');
  expect(JSON.stringify(seen)).not.toContain(token.slice(5));
});

/** A way to the database that can be cut. */
const cuttable = async (target: number) => {
  const sockets = new Set<Socket>();
  let open = false;
  const server: Server = createServer((socket) => {
    if (!open) return void socket.destroy();
    const other = connect(target, '127.0.0.1');
    for (const each of [socket, other]) {
      sockets.add(each);
      each.on('error', () => {});
      each.on('close', () => {
        socket.destroy();
        other.destroy();
      });
    }
    socket.pipe(other).pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    port,
    let: (on: boolean) => {
      open = on;
      if (!on) for (const socket of sockets) socket.destroy();
    },
  };
};

test.skipIf(KIND === 'pglite')(
  'a database that is away delays no answer, and history catches up when it is back',
  async () => {
    const place = await placeForTest(KIND);
    if (!('url' in place)) throw new Error('a server is wanted');
    const way = await cuttable(Number(new URL(place.url).port));
    const { slack, say, history } = await world({ url: place.url.replace(/:\d+\//, `:${way.port}/`) });
    await say('web-7 6325');
    await finishedThread(slack, 'ops');
    expect(await say('history')).toMatch(
      /^I do not reach the database history_\d+ at 127\.0\.0\.1:\d+ .* Try again in a minute\.$/,
    );
    expect(history.state().ok).toBe(false);
    way.let(true);
    await expect.poll(() => say('history'), soon).toMatch(/^1 look, page 1 of 1/);
    expect(history.state()).toEqual({ ok: true, why: null });
    way.let(false);
    await say('web-8 1');
    await finishedThread(slack, 'ops', 2);
    way.let(true);
    await expect.poll(() => say('history'), soon).toMatch(/^2 looks, page 1 of 1/);
  },
);
