import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { Feedback } from '../../bot/actions/wrong-diagnosis.ts';
import type { BotOptions } from '../../bot/bot.ts';
import { finishedThread, PLAYBOOKS, quiet, shown, threadsIn } from '../support/bot.ts';
import { buttonsOf, messageNow, messageWithButton, pressButton } from '../support/buttons.ts';
import { inThread, looksAsked, toldTo } from '../support/site.ts';
import { ALL_BUTTONS, buttonsUnder, messagesWithButtons } from './buttons.parts.ts';

/** What an approval shows of a core. */
const CORE: NonNullable<BotOptions['playbooks'][number]['harmful']>[number] = {
  probe: 'gcore',
  title: 'A core of the process',
  impacts: ['stops', 'writes-disk'],
  always: true,
  tools: ['gdb'],
  command: (pid) => `sh gcore.sh ${pid}`,
};

test('a report has its buttons once, and they carry nothing but opaque ids', async () => {
  const { slack, queue, ts, buttons } = await buttonsUnder();
  await quiet(queue);
  expect(buttonsOf(buttons).map(({ label }) => label)).toEqual(ALL_BUTTONS);
  expect(messagesWithButtons(slack, ts)).toBe(1);
  for (const { value } of buttonsOf(buttons)) expect(value).toMatch(/^[A-Za-z0-9_-]{24}$/);
});

test('look again: the same look in the first message, the button replaced by who pressed it, once', async () => {
  const { slack, queue, ts, asked, buttons } = await buttonsUnder('web-7 6325 strace 4');
  await pressButton(slack, 'alice', buttons, 'Look again');
  await inThread(slack, ts, (message) => shown(message).includes('Looking again at process 6325'), 'the second look');
  await quiet(queue);
  const after = messageNow(slack, buttons);
  expect(buttonsOf(after).map(({ label }) => label)).toEqual(ALL_BUTTONS.slice(1));
  expect(shown(after)).toContain(`<@${slack.user('alice').id}> pressed *Look again*`);
  expect(asked).toHaveLength(2);
  expect(asked[1]).toMatchObject({ host: 'web-7', pid: 6325, playbook: 'strace', windowSeconds: 4 });
  expect(asked[1]?.origin).toMatchObject({ threadTs: ts, user: slack.user('alice').id, via: 'follow-up' });
});

test('the look under which a button is pressed is the one that is meant', async () => {
  const { slack, queue, ts, asked, buttons } = await buttonsUnder();
  slack.user('alice').say('@straceback strace 3 on web-8 77', { channel: 'ops', threadTs: ts });
  const second = await slack.waitFor(
    () => slack.thread('ops', ts).findLast((each) => buttonsOf(each).length > 0 && each.ts !== buttons.ts),
    { timeoutMs: 60_000, what: 'the buttons of the second look' },
  );
  const first = shown(threadsIn(slack, 'ops')[0]);
  await pressButton(slack, 'bob', second, 'Look again');
  await pressButton(slack, 'bob', second, 'Trace 10 s');
  await looksAsked(slack, asked, 4);
  await quiet(queue);
  const windows = asked.slice(2).map(({ host, pid, playbook, windowSeconds }) => [host, pid, playbook, windowSeconds]);
  expect(windows.sort()).toEqual([
    ['web-8', 77, 'strace', 10],
    ['web-8', 77, 'strace', 3],
  ]);
  expect(shown(threadsIn(slack, 'ops')[0])).toBe(first);
  expect(buttonsOf(messageNow(slack, second)).map(({ label }) => label)).toEqual(ALL_BUTTONS.slice(2));
});

test('evidence and why answer in the thread, from the look itself', async () => {
  const { slack, ts, asked, buttons } = await buttonsUnder();
  await pressButton(slack, 'bob', buttons, 'Evidence');
  const evidence = await inThread(slack, ts, (message) => message.text.startsWith('Evidence: '), 'the evidence');
  expect(shown(evidence)).toContain('E2 sample');
  expect(shown(evidence)).toContain('48,211 bytes');
  await pressButton(slack, 'alice', buttons, 'Why');
  await inThread(slack, ts, (message) => message.text.startsWith('Why: '), 'the reasons');
  expect(asked).toHaveLength(1);
});

test('a core that the policy does not allow is not taken', async () => {
  const { slack, asked, buttons } = await buttonsUnder();
  await pressButton(slack, 'bob', buttons, 'Take a core…');
  await toldTo(slack, 'bob', 'writes-disk');
  expect(shown(messageNow(slack, buttons))).toContain(`<@${slack.user('bob').id}> pressed *Take a core…*`);
  expect(asked).toHaveLength(1);
});

test('a core that wants an approval is put to those who may say yes, and taken after it', async () => {
  const approve = ['stops', 'writes-disk'] as const;
  const rules = [{ groups: ['S0ONCALL1'], hosts: ['web-*'], allow: [], approve: [...approve] }];
  const { slack, ts, asked, buttons } = await buttonsUnder('web-7 6325', {
    playbooks: PLAYBOOKS.map((each) => (each.id === 'gcore' ? { ...each, harmful: [CORE] } : each)),
    policy: { allow: ['none', 'slows'], rules },
  });
  await pressButton(slack, 'bob', buttons, 'Take a core…');
  const question = await messageWithButton(slack, 'ops', ts, 'Approve');
  await pressButton(slack, 'bob', question, 'Approve');
  await toldTo(slack, 'bob', 'You asked for this yourself');
  expect(asked).toHaveLength(1);
  await pressButton(slack, 'alice', question, 'Approve');
  await looksAsked(slack, asked, 2);
  expect(asked[1]).toMatchObject({ host: 'web-7', pid: 6325, playbook: 'gcore', origin: { threadTs: ts } });
});

test('resolve: the first message is green and says who and how long; again opens it once more', async () => {
  const { slack, queue, ts, asked, buttons } = await buttonsUnder();
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
  await looksAsked(slack, asked, 2);
  await slack.waitFor(() => shown(threadsIn(slack, 'ops')[0]).startsWith('🔴'), { timeoutMs: 60_000, what: 'red' });
  await quiet(queue);
  slack.user('bob').say('resolve', { channel: 'ops', threadTs: ts });
  await inThread(slack, ts, (message) => shown(message).includes('Resolved after'), 'the answer');
  expect(shown(threadsIn(slack, 'ops')[0])).toMatch(/^✅/);
});

test('in a thread that somebody else began nothing of theirs is changed', async () => {
  const { slack, queue } = await buttonsUnder();
  const said = slack.user('bob').say('@straceback strace on web-8 77', { channel: 'ops' });
  const buttons = await messageWithButton(slack, 'ops', said.ts, 'Resolve');
  await pressButton(slack, 'alice', buttons, 'Resolve');
  await toldTo(slack, 'alice', 'The first message of this thread is not mine');
  await quiet(queue);
  expect(slack.thread('ops', said.ts)[0]?.edited).toBeUndefined();
});

test('what is resolved while a look goes on stays so at its end', async () => {
  const { slack, redis, queue, ts } = await buttonsUnder();
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
  const { slack, redis, queue, ts, buttons } = await buttonsUnder();
  await pressButton(slack, 'bob', buttons, 'Wrong diagnosis');
  const bob = slack.user('bob');
  await slack.waitFor(() => bob.modal()?.title?.text === 'Wrong diagnosis', { timeoutMs: 30_000, what: 'the modal' });
  expect(buttonsOf(messageNow(slack, buttons)).map(({ label }) => label)).toEqual(ALL_BUTTONS);
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
  expect(buttonsOf(messageNow(slack, buttons)).map(({ label }) => label)).toEqual(ALL_BUTTONS.slice(0, -1));
  expect(slack.ephemerals('bob')).toEqual([]);
});
