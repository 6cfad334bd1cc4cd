import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import { botForTest, quiet, shown, threadsIn } from '../support/bot.ts';
import { sickReport } from '../support/reports.ts';
import { looksAsked, replyWith, reportedWithEvidence, threadForTest, toldTo } from '../support/site.ts';

/** A bot, and a thread in which a look has ended. */
const thread = () => threadForTest({ words: 'web-7 6325 strace 4', look: reportedWithEvidence });

const filesIn = (slack: LocalSlack, ts: string) =>
  slack.thread('ops', ts).filter((message) => (message.files?.length ?? 0) > 0);

test('again looks at the same process in the same way, in the same thread', async () => {
  const { slack, ts, asked, place } = await thread();
  slack.user('alice').say('@straceback again', place);
  await replyWith(slack, 'ops', ts, 'Looking again at process 6325 on web-7');
  await slack.waitFor(() => filesIn(slack, ts).length === 2, {
    timeoutMs: 30_000,
    what: 'the files of the second look',
  });
  const [first, second] = asked;
  expect(second).toMatchObject({ host: 'web-7', pid: 6325, playbook: 'strace', windowSeconds: 4 });
  expect(second?.id).not.toBe(first?.id);
  expect(second?.origin).toMatchObject({ threadTs: ts, user: slack.user('alice').id, via: 'follow-up' });
  expect(threadsIn(slack, 'ops')).toHaveLength(1);
});

test('an event that comes twice, or whose acknowledgement is lost, is done once', async () => {
  const { slack, queue, ts, asked, place } = await thread();
  let deliveries = 0;
  const stop = slack.on('delivered', ({ type }) => {
    if (type === 'events_api') deliveries += 1;
  });
  slack.events.repeat(2);
  slack.sockets.loseAcks(1);
  slack.user('bob').say('@straceback again', place);
  slack.user('bob').say('@straceback help', place);
  // Two events, a repetition of each, and one that Slack had to send again.
  await slack.waitFor(() => deliveries === 5, { timeoutMs: 30_000, what: 'five deliveries' });
  stop();
  await slack.waitFor(() => filesIn(slack, ts).length >= 2, {
    timeoutMs: 30_000,
    what: 'the files of the second look',
  });
  await quiet(queue);
  expect(asked).toHaveLength(2);
  const replies = slack.thread('ops', ts).map(shown);
  expect(replies.filter((text) => text.includes('Mention me in this thread'))).toHaveLength(1);
  expect(replies.filter((text) => text.includes('Looking again'))).toHaveLength(1);
});

test('a tool is run on the thread’s process, shown by a message of its own, and the first one keeps what it says', async () => {
  const { slack, ts, asked, place, queue } = await thread();
  const before = shown(threadsIn(slack, 'ops')[0]);
  slack.events.repeat(1);
  slack.user('alice').say('@straceback strace 7', place);
  await slack.waitFor(() => filesIn(slack, ts).length === 2, { timeoutMs: 30_000, what: 'the files of the trace' });
  await quiet(queue);
  expect(asked).toHaveLength(2);
  expect(asked[1]).toMatchObject({ host: 'web-7', pid: 6325, playbook: 'strace', windowSeconds: 7 });
  const origin = asked[1]?.origin;
  const messageTs = origin?.kind === 'slack' ? origin.messageTs : undefined;
  expect(origin).toMatchObject({ threadTs: ts, user: slack.user('alice').id, via: 'follow-up' });
  const showing = slack.thread('ops', ts).find((message) => message.ts === messageTs);
  expect(shown(showing)).toMatch(/^🔴/u);
  expect(shown(threadsIn(slack, 'ops')[0])).toBe(before);
  expect(slack.thread('ops', ts).filter((message) => shown(message).startsWith('🔴'))).toHaveLength(2);
});

test.each([
  ['strace on web-8 77', { host: 'web-8', pid: 77, playbook: 'strace' }],
  ['strace 3 on web-8 77', { host: 'web-8', pid: 77, playbook: 'strace', windowSeconds: 3 }],
  ['diagnose 7001', { host: 'web-7', pid: 7001, playbook: 'triage' }],
  ['diagnose 7001 strace 2', { host: 'web-7', pid: 7001, playbook: 'strace', windowSeconds: 2 }],
])('%s looks at another process in the same thread', async (words, understood) => {
  const { slack, ts, asked, place } = await thread();
  slack.user('bob').say(`@straceback ${words}`, place);
  await looksAsked(slack, asked, 2);
  expect(asked[1]).toMatchObject(understood);
  expect(asked[1]?.origin).toMatchObject({ threadTs: ts });
});

test.each([
  ['gcore', 'I may not do that here'],
  ['lptrace', 'on a live process: it makes the process run foreign code'],
  ['strace 900', 'I can look for 0.5 to 60 seconds'],
  ['strace on web-8', 'Which process? After'],
  ['strace on nohost 7', 'I know no host called'],
  ['diagnose', 'Which process on'],
  ['diagnose ; reboot', 'names no process'],
])('%s is answered with what to do, and nothing is run', async (words, answer) => {
  const { slack, ts, asked, place } = await thread();
  slack.user('bob').say(`@straceback ${words}`, place);
  await replyWith(slack, 'ops', ts, answer);
  expect(asked).toHaveLength(1);
});

test('outside of a thread a tool asks for a process, and runs on one that is named', async () => {
  const { slack, asked } = await thread();
  const bare = slack.user('bob').say('@straceback strace', { channel: 'ops' });
  await replyWith(slack, 'ops', bare.ts, 'Which process?');
  const named = slack.user('bob').say('@straceback strace on web-8 77', { channel: 'ops' });
  await replyWith(slack, 'ops', named.ts, '77 on web-8');
  await looksAsked(slack, asked, 2);
  expect(asked[1]).toMatchObject({ host: 'web-8', pid: 77, origin: { threadTs: named.ts } });
});

test('a reply in the thread that begins with a verb needs no mention; what people say to each other is left alone', async () => {
  const { slack, ts, asked, place, queue } = await thread();
  for (const words of [
    'why is it doing that?',
    'fix this first, bob',
    'I would strace it',
    'again we are paged',
    '<@U999> strace',
  ]) {
    slack.user('alice').say(words, place);
  }
  slack.user('alice').say('strace 3', { channel: 'ops' });
  slack.user('bob').say('`Strace` 3', place);
  await looksAsked(slack, asked, 2);
  slack.user('bob').say('@straceback help', place);
  await replyWith(slack, 'ops', ts, 'Mention me in this thread');
  await quiet(queue);
  expect(asked).toHaveLength(2);
  expect(asked[1]).toMatchObject({ playbook: 'strace', windowSeconds: 3, origin: { threadTs: ts } });
  expect(
    slack
      .thread('ops', ts)
      .map(shown)
      .filter((text) => text.includes('Mention me in this thread')),
  ).toHaveLength(1);
});

test('why, fix and raw answer from the thread’s last look, without another one', async () => {
  const { slack, ts, asked, place } = await thread();
  slack.user('bob').say('@straceback why', place);
  const why = await slack.waitFor(() => slack.thread('ops', ts).find((message) => message.text.startsWith('Why: ')), {
    timeoutMs: 30_000,
    what: 'the reasons',
  });
  expect(shown(why)).toContain('the kernel log names no process of this family');
  expect(shown(why)).toContain(sickReport.findings[0]?.summary.split('`')[0] ?? '');
  slack.user('bob').say('@straceback fix', place);
  const fix = await slack.waitFor(() => slack.thread('ops', ts).find((message) => message.text.startsWith('Fixes: ')), {
    timeoutMs: 30_000,
    what: 'the fixes',
  });
  expect(shown(fix)).toContain('stopping.set()');
  expect(shown(fix)).not.toContain('Ruled out');
  slack.user('bob').say('@straceback raw identify', place);
  await slack.waitFor(() => slack.files().filter((file) => file.name === 'E1-identify.txt').length === 2, {
    timeoutMs: 30_000,
    what: 'the evidence once more',
  });
  slack.user('bob').say('@straceback raw identfy', place);
  await replyWith(slack, 'ops', ts, 'There is evidence of');
  slack.user('bob').say('@straceback raw', place);
  await replyWith(slack, 'ops', ts, 'The evidence of which probe?');
  expect(asked).toHaveLength(1);
});

test.each(['why', 'fix', 'raw identify'])('%s is told that the look is kept no longer', async (words) => {
  const { slack, redis, ts, place } = await thread();
  const client = new Redis(redis.url);
  await client.flushall();
  await client.quit();
  slack.user('bob').say(`@straceback ${words}`, place);
  await replyWith(slack, 'ops', ts, words === 'raw identify' ? 'No look of this thread' : 'I have no finished look');
});

test.each([
  ['help', 'Mention me in this thread with one of these'],
  ['', 'Mention me in this thread with one of these'],
  ['HELP', 'Mention me in this thread with one of these'],
  ['agian', 'I do not know “agian”. Did you mean'],
  ['`rm -rf /` <!channel>', 'I do not know “rm”.'],
])('@straceback %s is answered in the thread', async (words, answer) => {
  const { slack, ts, place } = await thread();
  slack.user('bob').say(`@straceback ${words}`, place);
  await replyWith(slack, 'ops', ts, answer);
});

test('outside of a thread the bot says how to begin, in a thread under the mention', async () => {
  const { slack } = await thread();
  for (const words of ['hello', 'again']) {
    const said = slack.user('bob').say(`@straceback ${words}`, { channel: 'ops' });
    await replyWith(
      slack,
      'ops',
      said.ts,
      words === 'again' ? 'There is nothing to repeat here' : 'I do not know “hello”',
    );
  }
});

test('in a thread that somebody else opened there is nothing to repeat', async () => {
  const { slack } = await thread();
  const other = slack.user('alice').say('A thread of my own', { channel: 'ops' });
  slack.user('bob').say('@straceback again', { channel: 'ops', threadTs: other.ts });
  await replyWith(slack, 'ops', other.ts, 'There is nothing to repeat here');
});

test.each([['carol', 'I take no requests from guests']])(
  '%s is told privately that she may not',
  async (who, sentence) => {
    const { slack, place, asked } = await thread();
    slack.user(who).say('@straceback again', place);
    await toldTo(slack, who, sentence);
    expect(asked).toHaveLength(1);
  },
);

test('somebody of another workspace is told privately that they may not', async () => {
  const { slack } = await thread();
  slack.user('dana').say('@straceback help', { channel: 'shared' });
  await toldTo(slack, 'dana', 'I only take requests from members of this workspace');
  expect(threadsIn(slack, 'shared')).toEqual([]);
});

test.each(['bot', 'Redis'])('a mention that comes while the %s is away is done when it is back', async (away) => {
  const { slack, redis, ts, close } = await threadForTest({
    workspace: { retryDelaysMs: [500, 1_000, 2_000, 4_000, 8_000] },
  });
  await (away === 'bot' ? close() : redis.close());
  const refused = slack.waitFor(
    (change) => change?.kind === 'delivered' && change.type === 'events_api' && !change.acked,
    {
      timeoutMs: 30_000,
      what: 'an event that nobody acknowledges',
    },
  );
  slack.user('bob').say('@straceback help', { channel: 'ops', threadTs: ts });
  await refused;
  await (away === 'bot' ? botForTest(slack, redis.url) : redis.restart());
  await replyWith(slack, 'ops', ts, 'Mention me in this thread');
});
