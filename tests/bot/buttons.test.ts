import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { Feedback } from '../../bot/actions/wrong-diagnosis.ts';
import type { BotOptions } from '../../bot/bot.ts';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';
import type { Request } from '../../playbooks/model/index.ts';
import {
  botForTest,
  finishedThread,
  PLAYBOOKS,
  quiet,
  reportFor,
  shown,
  slackForTest,
  threadsIn,
  workerForTest,
} from '../support/bot.ts';
import { buttonsOf, messageWithButton, pressButton } from '../support/buttons.ts';
import { redisForTest } from '../support/queue.ts';

const CAUSES = [
  { id: 'healthy', title: 'Healthy' },
  { id: 'thread-deadlock', title: 'Threads wait for each other' },
];
const ALL = ['Look again', 'Trace 10 s', 'Take a core…', 'Evidence', 'Why', 'Resolve', 'Wrong diagnosis'];

/** What an approval shows of a core. */
const CORE: NonNullable<BotOptions['playbooks'][number]['harmful']>[number] = {
  probe: 'gcore',
  title: 'A core of the process',
  impacts: ['stops', 'writes-disk'],
  always: true,
  tools: ['gdb'],
  command: (pid) => `sh gcore.sh ${pid}`,
};

/** A bot, and a thread in which a look has ended, with its buttons. */
const thread = async (words = 'web-7 6325', change: Partial<Pick<BotOptions, 'playbooks' | 'policy'>> = {}) => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const asked: Request[] = [];
  const { queue, close } = await botForTest(slack, redis.url, { causes: CAUSES, ...change });
  workerForTest(redis.url, async (request) => {
    asked.push(request);
    return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
  });
  await slack.user('bob').slash('/diagnose', words, 'ops');
  await finishedThread(slack, 'ops');
  const ts = threadsIn(slack, 'ops')[0]?.ts ?? '';
  const buttons = await messageWithButton(slack, 'ops', ts, 'Look again');
  return { slack, redis, queue, close, ts, asked, buttons };
};

const inThread = (slack: LocalSlack, ts: string, wanted: (message: SlackMessage) => boolean, what: string) =>
  slack.waitFor(() => slack.thread('ops', ts).find(wanted), { timeoutMs: 60_000, what });

const now = (slack: LocalSlack, message: SlackMessage): SlackMessage | undefined =>
  slack.thread('ops', message.thread_ts ?? '').find(({ ts }) => ts === message.ts);

const toldTo = (slack: LocalSlack, who: string, words: string) =>
  slack.waitFor(() => slack.ephemerals(who).find((message) => message.text.includes(words)), {
    timeoutMs: 60_000,
    what: `${who} is told ${words}`,
  });

const looks = (slack: LocalSlack, ts: string) =>
  slack.thread('ops', ts).filter((message) => buttonsOf(message).length > 0).length;

test('a report has its buttons once, and they carry nothing but opaque ids', async () => {
  const { slack, queue, ts, buttons } = await thread();
  await quiet(queue);
  expect(buttonsOf(buttons).map(({ label }) => label)).toEqual(ALL);
  expect(looks(slack, ts)).toBe(1);
  for (const { value } of buttonsOf(buttons)) expect(value).toMatch(/^[A-Za-z0-9_-]{24}$/);
});

test('look again: the same look in the first message, the button replaced by who pressed it, once', async () => {
  const { slack, queue, ts, asked, buttons } = await thread('web-7 6325 strace 4');
  await pressButton(slack, 'alice', buttons, 'Look again');
  await inThread(slack, ts, (message) => shown(message).includes('Looking again at process 6325'), 'the second look');
  await quiet(queue);
  const after = now(slack, buttons);
  expect(buttonsOf(after).map(({ label }) => label)).toEqual(ALL.slice(1));
  expect(shown(after)).toContain(`<@${slack.user('alice').id}> pressed *Look again*`);
  expect(asked).toHaveLength(2);
  expect(asked[1]).toMatchObject({ host: 'web-7', pid: 6325, playbook: 'strace', windowSeconds: 4 });
  expect(asked[1]?.origin).toMatchObject({ threadTs: ts, user: slack.user('alice').id, via: 'follow-up' });
});

test('the look under which a button is pressed is the one that is meant', async () => {
  const { slack, queue, ts, asked, buttons } = await thread();
  slack.user('alice').say('@straceback strace 3 on web-8 77', { channel: 'ops', threadTs: ts });
  const second = await slack.waitFor(
    () => slack.thread('ops', ts).findLast((each) => buttonsOf(each).length > 0 && each.ts !== buttons.ts),
    { timeoutMs: 60_000, what: 'the buttons of the second look' },
  );
  const first = shown(threadsIn(slack, 'ops')[0]);
  await pressButton(slack, 'bob', second, 'Look again');
  await pressButton(slack, 'bob', second, 'Trace 10 s');
  await slack.waitFor(() => asked.length === 4, { timeoutMs: 60_000, what: 'two more looks' });
  await quiet(queue);
  const windows = asked.slice(2).map(({ host, pid, playbook, windowSeconds }) => [host, pid, playbook, windowSeconds]);
  expect(windows.sort()).toEqual([
    ['web-8', 77, 'strace', 10],
    ['web-8', 77, 'strace', 3],
  ]);
  expect(shown(threadsIn(slack, 'ops')[0])).toBe(first);
  expect(buttonsOf(now(slack, second)).map(({ label }) => label)).toEqual(ALL.slice(2));
});

test('evidence and why answer in the thread, from the look itself', async () => {
  const { slack, ts, asked, buttons } = await thread();
  await pressButton(slack, 'bob', buttons, 'Evidence');
  const evidence = await inThread(slack, ts, (message) => message.text.startsWith('Evidence: '), 'the evidence');
  expect(shown(evidence)).toContain('E2 sample');
  expect(shown(evidence)).toContain('48,211 bytes');
  await pressButton(slack, 'alice', buttons, 'Why');
  await inThread(slack, ts, (message) => message.text.startsWith('Why: '), 'the reasons');
  expect(asked).toHaveLength(1);
});

test('a core that the policy does not allow is not taken', async () => {
  const { slack, asked, buttons } = await thread();
  await pressButton(slack, 'bob', buttons, 'Take a core…');
  await toldTo(slack, 'bob', 'writes-disk');
  expect(shown(now(slack, buttons))).toContain(`<@${slack.user('bob').id}> pressed *Take a core…*`);
  expect(asked).toHaveLength(1);
});

test('a core that wants an approval is put to those who may say yes, and taken after it', async () => {
  const approve = ['stops', 'writes-disk'] as const;
  const rules = [{ groups: ['S0ONCALL1'], hosts: ['web-*'], allow: [], approve: [...approve] }];
  const { slack, ts, asked, buttons } = await thread('web-7 6325', {
    playbooks: PLAYBOOKS.map((each) => (each.id === 'gcore' ? { ...each, harmful: [CORE] } : each)),
    policy: { allow: ['none', 'slows'], rules },
  });
  await pressButton(slack, 'bob', buttons, 'Take a core…');
  const question = await messageWithButton(slack, 'ops', ts, 'Approve');
  await pressButton(slack, 'bob', question, 'Approve');
  await slack.waitFor(() => slack.ephemerals('bob').length === 1, { timeoutMs: 60_000, what: 'that bob may not' });
  expect(asked).toHaveLength(1);
  await pressButton(slack, 'alice', question, 'Approve');
  await slack.waitFor(() => asked.length === 2, { timeoutMs: 60_000, what: 'the core' });
  expect(asked[1]).toMatchObject({ host: 'web-7', pid: 6325, playbook: 'gcore', origin: { threadTs: ts } });
});

test('presses at once by several people, over two bots: each is shown, none is lost, each works once', async () => {
  const { slack, redis, queue, ts, asked, buttons } = await thread();
  await botForTest(slack, redis.url, { causes: CAUSES });
  await Promise.all([
    pressButton(slack, 'alice', buttons, 'Look again'),
    pressButton(slack, 'bob', buttons, 'Look again'),
    pressButton(slack, 'bob', buttons, 'Trace 10 s'),
    pressButton(slack, 'alice', buttons, 'Evidence'),
    pressButton(slack, 'bob', buttons, 'Why'),
  ]);
  await slack.waitFor(() => asked.length === 3, { timeoutMs: 60_000, what: 'both looks' });
  await quiet(queue);
  const after = now(slack, buttons);
  expect(buttonsOf(after).map(({ label }) => label)).toEqual(['Take a core…', 'Resolve', 'Wrong diagnosis']);
  expect(shown(after).match(/pressed \*/g)).toHaveLength(4);
  expect(asked).toHaveLength(3);
  const told = [...slack.ephemerals('alice'), ...slack.ephemerals('bob')].map(({ text }) => text);
  expect(told).toHaveLength(1);
  expect(told[0]).toMatch(/“Look again” was pressed already by <@U0(?:ALICE01|BOB0001)>/);
  expect(looks(slack, ts)).toBe(3);
});

test('a press whose edit Slack fails to answer is done once all the same', async () => {
  const { slack, queue, ts, asked, buttons } = await thread();
  slack.faults.add({ method: 'chat.update', kind: 'after-effect-500', times: 3 });
  slack.faults.add({ method: 'conversations.replies', kind: '500', times: 4 });
  await pressButton(slack, 'bob', buttons, 'Trace 10 s');
  await slack.waitFor(() => asked.length === 2, { timeoutMs: 60_000, what: 'the trace' });
  await quiet(queue);
  expect(asked).toHaveLength(2);
  expect(shown(now(slack, buttons)).match(/pressed \*/g)).toHaveLength(1);
  expect(looks(slack, ts)).toBe(2);
});

test('a press that is delivered twice is one; a later one from an old page is told who was first', async () => {
  const { slack, redis, queue, ts, asked, buttons } = await thread();
  const other = await botForTest(slack, redis.url, { causes: CAUSES });
  const token = buttonsOf(buttons)[0]?.value ?? '';
  const { id: user } = slack.user('bob');
  const place = { team: slack.world.team.id, channel: slack.channel('ops'), messageTs: buttons.ts, threadTs: ts };
  const press = { kind: 'press', id: 'one-press', ...place, user, token, at: Date.now() } as const;
  expect((await Promise.all([queue.accept(press), other.queue.accept(press)])).sort()).toContain('queued');
  await slack.waitFor(() => asked.length === 2, { timeoutMs: 60_000, what: 'the second look' });
  await queue.accept({ ...press, id: 'another-press' });
  await toldTo(slack, 'bob', `“Look again” was pressed already by <@${user}>.`);
  await quiet(queue);
  expect(asked).toHaveLength(2);
  expect(slack.ephemerals('bob')).toHaveLength(1);
});

test('after a restart of the bot old buttons still work', async () => {
  const { slack, redis, close, asked, buttons } = await thread();
  await close();
  const { queue } = await botForTest(slack, redis.url, { causes: CAUSES });
  await pressButton(slack, 'bob', buttons, 'Look again');
  await slack.waitFor(() => asked.length === 2, { timeoutMs: 60_000, what: 'the second look' });
  await quiet(queue);
  expect(buttonsOf(now(slack, buttons)).map(({ label }) => label)).toEqual(ALL.slice(1));
});

test('guests may press nothing, and the button stays for others', async () => {
  const { slack, asked, buttons } = await thread();
  await pressButton(slack, 'carol', buttons, 'Look again');
  await toldTo(slack, 'carol', 'I take no requests from guests');
  await pressButton(slack, 'carol', buttons, 'Wrong diagnosis');
  await slack.waitFor(() => slack.ephemerals('carol').length === 2, { timeoutMs: 60_000, what: 'told twice' });
  expect(slack.modal('carol')).toBeUndefined();
  expect(buttonsOf(now(slack, buttons)).map(({ label }) => label)).toEqual(ALL);
  expect(asked).toHaveLength(1);
});

test('somebody of another workspace may press nothing', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  await botForTest(slack, redis.url);
  workerForTest(redis.url);
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'shared');
  await finishedThread(slack, 'shared');
  const ts = threadsIn(slack, 'shared')[0]?.ts ?? '';
  const buttons = await messageWithButton(slack, 'shared', ts, 'Look again');
  await pressButton(slack, 'dana', buttons, 'Look again');
  await toldTo(slack, 'dana', 'I only take requests from members of this workspace');
});

test('a button that was made for one person does nothing for another, and is left to them', async () => {
  const { slack, redis, asked, buttons } = await thread();
  const client = new Redis(redis.url);
  const [again] = buttonsOf(buttons);
  const name = (await client.keys(`*note:button:${again?.value}`))[0] ?? '';
  const kept = JSON.parse((await client.get(name)) ?? '{}');
  await client.set(name, JSON.stringify({ ...kept, only: [slack.user('alice').id] }));
  await client.quit();
  const before = asked.length;
  await pressButton(slack, 'bob', buttons, 'Look again');
  await toldTo(slack, 'bob', '“Look again” is not for you to press.');
  expect(asked).toHaveLength(before);
});

test('a button that nobody knows any more, or whose time is over, says so', async () => {
  const { slack, redis, asked, buttons } = await thread();
  const client = new Redis(redis.url);
  const [again, trace, core] = buttonsOf(buttons);
  const nameOf = async (token: string | undefined) => (await client.keys(`*note:button:${token}`))[0] ?? '';
  const kept = JSON.parse((await client.get(await nameOf(trace?.value))) ?? '{}');
  await client.del(await nameOf(again?.value));
  await client.set(await nameOf(trace?.value), JSON.stringify({ ...kept, until: Date.now() - 1 }));
  await client.set(await nameOf(core?.value), JSON.stringify({ ...kept, action: 'of-another-version' }));
  await pressButton(slack, 'bob', buttons, 'Look again');
  await toldTo(slack, 'bob', 'This button is too old');
  await pressButton(slack, 'bob', buttons, 'Trace 10 s');
  await toldTo(slack, 'bob', '“Trace 10 s” works no longer: its time is over.');
  await pressButton(slack, 'bob', buttons, 'Take a core…');
  await toldTo(slack, 'bob', 'This version of me can no longer do');
  await client.quit();
  expect(asked).toHaveLength(1);
});

test('why says that the look is kept no longer', async () => {
  const { slack, redis, buttons } = await thread();
  const client = new Redis(redis.url);
  for (const key of await client.keys('*answers:answer-*')) await client.del(key);
  await client.quit();
  await pressButton(slack, 'bob', buttons, 'Why');
  await toldTo(slack, 'bob', 'I no longer have that look');
});

test('resolve: the first message is green and says who and how long; again opens it once more', async () => {
  const { slack, queue, ts, asked, buttons } = await thread();
  await pressButton(slack, 'alice', buttons, 'Resolve');
  const first = await slack.waitFor(() => threadsIn(slack, 'ops').find((each) => shown(each).startsWith('✅')), {
    timeoutMs: 60_000,
    what: 'the green message',
  });
  expect(shown(first)).toMatch(/^✅ Main thread waits in its own SIGTERM handler/);
  expect(shown(first)).toContain('✅ Resolved by ');
  expect(JSON.stringify(first.blocks)).toContain(slack.user('alice').id);
  expect(shown(first)).toMatch(/ after \d+(?:\.\d+)? s\./);
  slack.user('bob').say('resolve', { channel: 'ops', threadTs: ts });
  await inThread(slack, ts, (message) => shown(message).includes('resolved already'), 'that it was resolved');
  slack.user('bob').say('again', { channel: 'ops', threadTs: ts });
  await slack.waitFor(() => asked.length === 2, { timeoutMs: 60_000, what: 'the second look' });
  await slack.waitFor(() => shown(threadsIn(slack, 'ops')[0]).startsWith('🔴'), { timeoutMs: 60_000, what: 'red' });
  await quiet(queue);
  slack.user('bob').say('resolve', { channel: 'ops', threadTs: ts });
  await inThread(slack, ts, (message) => shown(message).includes('Resolved after'), 'the answer');
  expect(shown(threadsIn(slack, 'ops')[0])).toMatch(/^✅/);
});

test('in a thread that somebody else began nothing of theirs is changed', async () => {
  const { slack, queue } = await thread();
  const said = slack.user('bob').say('@straceback strace on web-8 77', { channel: 'ops' });
  const buttons = await messageWithButton(slack, 'ops', said.ts, 'Resolve');
  await pressButton(slack, 'alice', buttons, 'Resolve');
  await toldTo(slack, 'alice', 'The first message of this thread is not mine');
  await quiet(queue);
  expect(slack.thread('ops', said.ts)[0]?.edited).toBeUndefined();
});

test('when Slack opens no modal the presser is told, and the button stays', async () => {
  const { slack, queue, buttons } = await thread();
  slack.faults.add({ method: 'views.open', kind: 'error', error: 'expired_trigger_id' });
  await pressButton(slack, 'bob', buttons, 'Wrong diagnosis');
  await toldTo(slack, 'bob', 'I could not open what “Wrong diagnosis” asks for. Press it again.');
  await quiet(queue);
  await pressButton(slack, 'bob', buttons, 'Wrong diagnosis');
  await slack.waitFor(() => slack.modal('bob') !== undefined, { timeoutMs: 30_000, what: 'the modal' });
});

test('what is resolved while a look goes on stays so at its end', async () => {
  const { slack, redis, queue, ts } = await thread();
  await slack.user('bob').slash('/diagnose', 'web-8 1 strace 2', 'ops');
  await finishedThread(slack, 'ops', 2);
  await quiet(queue);
  const client = new Redis(redis.url);
  const before = Date.now() + 3_600_000;
  const note = JSON.stringify({ id: 'x', user: slack.user('alice').id, at: before });
  await client.set(`{straceback}:own:note:resolved:${slack.channel('ops')}-${ts}`, note);
  await client.quit();
  slack.user('bob').say('again', { channel: 'ops', threadTs: ts });
  await slack.waitFor(() => slack.thread('ops', ts).filter((each) => buttonsOf(each).length > 0).length === 2, {
    timeoutMs: 60_000,
    what: 'the end of the second look',
  });
  await quiet(queue);
  const first = slack.thread('ops', ts)[0];
  expect(shown(first)).toMatch(/^✅ Main thread/);
});

test('wrong diagnosis: a modal asks what it was, keeps it, and says so in the thread', async () => {
  const { slack, redis, queue, ts, buttons } = await thread();
  await pressButton(slack, 'bob', buttons, 'Wrong diagnosis');
  const bob = slack.user('bob');
  await slack.waitFor(() => bob.modal()?.title?.text === 'Wrong diagnosis', { timeoutMs: 30_000, what: 'the modal' });
  expect(buttonsOf(now(slack, buttons)).map(({ label }) => label)).toEqual(ALL);
  expect(await bob.submitView({ cause: 'something-else' })).toEqual({
    ok: false,
    errors: { words: 'Say in a few words what it was.' },
  });
  expect(await bob.submitView({ cause: 'thread-deadlock', words: 'two pools <!channel> `x`' })).toEqual({ ok: true });
  const line = await inThread(slack, ts, (message) => shown(message).includes('the diagnosis was wrong'), 'the line');
  expect(shown(line)).toContain('it was Threads wait for each other (thread-deadlock)');
  expect(shown(line)).toContain('I had said signal-handler-deadlock.');
  expect(shown(line)).toContain('two pools <!channel> `x`');
  expect(line.text).not.toContain('<!channel>');
  await quiet(queue);
  const client = new Redis(redis.url);
  const [key = ''] = await client.keys('*note:feedback:*');
  const kept = Feedback.parse(JSON.parse((await client.get(key)) ?? ''));
  expect(kept).toMatchObject({ cause: 'thread-deadlock', words: 'two pools <!channel> `x`', user: bob.id, pid: 6325 });
  expect(kept.found?.[0]).toEqual({ cause: 'signal-handler-deadlock', confidence: 0.97 });
  expect(await client.ttl(key)).toBeGreaterThan(89 * 24 * 3600);
  await client.quit();
  expect(buttonsOf(now(slack, buttons)).map(({ label }) => label)).toEqual(ALL.slice(0, -1));
  expect(slack.ephemerals('bob')).toEqual([]);
});

test('of two people with the modal open, the second is told that it was answered', async () => {
  const { slack, queue, buttons, ts } = await thread();
  await pressButton(slack, 'bob', buttons, 'Wrong diagnosis');
  await pressButton(slack, 'alice', buttons, 'Wrong diagnosis');
  for (const who of ['bob', 'alice'])
    await slack.waitFor(() => slack.modal(who) !== undefined, { timeoutMs: 30_000, what: 'the modal' });
  expect(await slack.user('alice').submitView({ cause: 'healthy' })).toEqual({ ok: true });
  await inThread(slack, ts, (message) => shown(message).includes('nothing was wrong with the process'), 'the line');
  await quiet(queue);
  expect(await slack.user('bob').submitView({ cause: 'healthy' })).toEqual({
    ok: false,
    errors: { cause: '“Wrong diagnosis” was pressed already.' },
  });
});
