import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openAudit } from '../../infra/audit.ts';
import type { Request } from '../../playbooks/model/index.ts';
import { reportFor, shown } from '../support/bot.ts';
import { buttonsOf, messageNow, pressButton } from '../support/buttons.ts';
import { looksAsked, replyWith, toldTo } from '../support/site.ts';
import { askedForCore, becomes, questionIn, RULES } from './approvals.parts.ts';

test('what will run, what it costs and who may approve stands in the thread; a yes runs exactly that, once', async () => {
  const { slack, asked, question, ts, written } = await askedForCore();
  const text = shown(question);
  for (const part of [
    'Approval wanted for process 6325 on web-7',
    'needs a yes to ',
    'stops,writes-disk',
    'A core of the process (stops,writes-disk), with gdb: ',
    'sh gcore.sh 6325 KEEP-FOLDER',
    'expected to be stopped for 2.4 s to 17 s (2.0 GiB resident and 4 threads',
    'It takes about 2.0 GiB of the disk of the host',
  ])
    expect(text).toContain(part);
  // Bob may approve by the policy, but he asked.
  expect(JSON.stringify(question.blocks)).toContain(`"user_id":"${slack.user('alice').id}"`);
  expect(asked).toHaveLength(1);

  await pressButton(slack, 'alice', question, 'Approve');
  const after = await becomes(slack, question, /Approved by/);
  expect(after).toContain('exactly these impacts');
  await looksAsked(slack, asked, 2);
  const [, look] = asked;
  expect(look).toMatchObject({
    host: 'web-7',
    pid: 6325,
    playbook: 'gcore',
    allow: ['none', 'slows', 'stops', 'writes-disk'],
  });
  expect(look?.origin).toMatchObject({ user: slack.user('bob').id, threadTs: ts, via: 'follow-up' });
  expect(look?.approval).toMatchObject({
    by: slack.user('alice').id,
    impacts: ['none', 'slows', 'stops', 'writes-disk'],
    host: 'web-7',
    pid: 6325,
    startTime: reportFor(look as Request).target.startTime,
  });
  expect((look?.approval?.until ?? 0) - (look?.approval?.at ?? 0)).toBe(600_000);

  expect(buttonsOf(messageNow(slack, question))).toEqual([]);
  const events = (await written()).filter(({ playbook }) => playbook === 'gcore');
  expect(events.map(({ event, user }) => [event, user])).toEqual([
    ['approval-asked', slack.user('bob').id],
    ['approved', slack.user('alice').id],
    ['requested', slack.user('bob').id],
  ]);
  expect(new Set(events.map(({ request }) => request)).size).toBe(1);
});

test('a refusal is shown with who refused, and the requester may take the question back', async () => {
  const { slack, asked, question, ts, written } = await askedForCore();
  await pressButton(slack, 'bob', question, 'Refuse');
  expect(await becomes(slack, question, /Refused by/)).toContain('Nothing was run.');
  slack.user('bob').say('gcore', { channel: 'ops', threadTs: ts });
  const second = await questionIn(slack, ts);
  await pressButton(slack, 'alice', second, 'Refuse');
  await becomes(slack, second, /Refused by/);
  expect(asked).toHaveLength(1);
  expect((await written()).filter(({ event }) => event === 'refused').map(({ user }) => user)).toEqual([
    slack.user('bob').id,
    slack.user('alice').id,
  ]);
});

test('cancel in the thread withdraws the question, once, and a yes that comes after it runs nothing', async () => {
  const { slack, queue, asked, question, ts, written } = await askedForCore();
  const [held] = buttonsOf(question);
  slack.events.repeat(1);
  slack.user('alice').say('cancel', { channel: 'ops', threadTs: ts });
  expect(await becomes(slack, question, /Withdrawn by/)).toContain('Nothing was run.');
  const replies = () =>
    slack.thread('ops', ts).filter((each) => shown(each).includes('at process 6325 on web-7 is withdrawn.'));
  await slack.waitFor(() => replies()[0], { timeoutMs: 60_000, what: 'the reply that it is withdrawn' });
  await queue.accept({
    kind: 'press',
    team: slack.world.team.id,
    channel: question.channel,
    user: slack.user('alice').id,
    messageTs: question.ts,
    threadTs: question.thread_ts ?? '',
    token: held?.value ?? '',
    id: 'after-it',
    at: Date.now(),
  });
  await toldTo(slack, 'alice', 'It was withdrawn by <@');
  expect(asked).toHaveLength(1);
  expect(replies()).toHaveLength(1);
  expect((await written()).filter(({ event }) => event === 'refused').map(({ outcome }) => outcome)).toEqual([
    `asked by ${slack.user('bob').id}; withdrawn by cancel`,
  ]);
  slack.user('alice').say('cancel', { channel: 'ops', threadTs: ts });
  await replyWith(slack, 'ops', ts, 'so there is nothing to cancel');
});

test('what nobody approves in time expires, and a press after that is told so', async () => {
  const { slack, queue, asked, question, written } = await askedForCore({ policy: { approvalSeconds: 3 } });
  const [held] = buttonsOf(question);
  expect(await becomes(slack, question, /Expired at/)).toContain('nobody approved it in time');
  expect(asked).toHaveLength(1);
  expect((await written()).map(({ event }) => event)).toContain('expired');
  // Somebody whose Slack still shows the buttons; and somebody who was in time, while no bot was there to see it.
  const press = {
    kind: 'press',
    team: slack.world.team.id,
    channel: question.channel,
    user: slack.user('alice').id,
    messageTs: question.ts,
    threadTs: question.thread_ts ?? '',
    token: held?.value ?? '',
  } as const;
  await queue.accept({ ...press, id: 'late', at: Date.now() });
  await toldTo(slack, 'alice', '“Approve” works no longer: its time is over.');
  await queue.accept({ ...press, id: 'unseen', at: Date.now() - 60_000 });
  await toldTo(slack, 'alice', 'It is too late: the approval has expired.');
  expect(asked).toHaveLength(1);
});

test('two bots and two people at once: one look, one answer each', async () => {
  const it = await askedForCore({
    policy: { rules: [...RULES, { people: ['U0EVE0001'], allow: [], approve: ['stops', 'writes-disk'] }] },
  });
  const { slack, asked, question, another } = it;
  await another();
  await Promise.all([
    pressButton(slack, 'alice', question, 'Approve'),
    pressButton(slack, 'eve', question, 'Approve'),
    pressButton(slack, 'bob', question, 'Refuse'),
  ]);
  const text = await becomes(slack, question, /Approved by|Refused by/);
  const losers = ['alice', 'eve', 'bob'];
  await slack.waitFor(() => losers.filter((who) => slack.ephemerals(who).length > 0).length === 2, {
    timeoutMs: 60_000,
    what: 'two people are told that it was decided',
  });
  await expect.poll(() => asked.length, { timeout: 60_000 }).toBe(/Approved/.test(text) ? 2 : 1);
  for (const who of losers) {
    for (const message of slack.ephemerals(who)) expect(message.text).toMatch(/already/);
  }
});

test('the button works after a restart of the bot, for what was asked before', async () => {
  const { slack, asked, question, close, another } = await askedForCore();
  await close();
  await another();
  await pressButton(slack, 'alice', question, 'Approve');
  await becomes(slack, question, /Approved by/);
  await looksAsked(slack, asked, 2);
  expect(asked[1]?.approval?.by).toBe(slack.user('alice').id);
});

test('what cannot be written into the audit log is not run', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-approvals-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(path.join(folder, 'file'), '');
  const audit = openAudit({ folder: path.join(folder, 'file', 'audit'), side: 'bot' });
  const { slack, asked, question } = await askedForCore({ audit });
  await pressButton(slack, 'alice', question, 'Approve');
  const text = await becomes(slack, question, /Approved by/);
  expect(text).toContain('Nothing was run, for it must be written down first. The audit log cannot be written');
  expect(asked).toHaveLength(1);
});
