import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { BotOptions } from '../../bot/bot.ts';
import { type AuditEntry, openAudit } from '../../infra/audit.ts';
import { readAudit } from '../../infra/audit-read.ts';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';
import type { Request } from '../../playbooks/model/index.ts';
import {
  botForTest,
  finishedThread,
  PLAYBOOKS,
  reportFor,
  shown,
  slackForTest,
  threadsIn,
  workerForTest,
} from '../support/bot.ts';
import { buttonsOf, pressButton } from '../support/buttons.ts';
import { redisForTest } from '../support/queue.ts';

const ONCALL = 'S0ONCALL1';
const GIB = 1024 * 1024;

/** A core may be taken on web hosts when one of the group on call says yes. */
const RULES: NonNullable<BotOptions['policy']['rules']> = [
  { groups: [ONCALL], hosts: ['web-*'], allow: [], approve: ['stops', 'writes-disk'] },
];

const BOOKS: BotOptions['playbooks'] = [
  ...PLAYBOOKS.filter(({ id }) => id !== 'gcore'),
  {
    id: 'gcore',
    title: 'Take a core',
    description: 'A core and what it shows.',
    impacts: ['none', 'stops', 'writes-disk'],
    harmful: [
      {
        probe: 'gcore',
        title: 'A core of the process',
        impacts: ['stops', 'writes-disk'],
        always: true,
        tools: ['gdb'],
        command: (pid) => `sh gcore.sh ${pid} KEEP-FOLDER`,
      },
    ],
  },
  {
    id: 'py-bt',
    title: 'Python stacks by gdb',
    description: 'Stops it.',
    impacts: ['none', 'stops'],
    harmful: [
      {
        probe: 'py-bt',
        title: 'Stacks',
        impacts: ['stops'],
        always: true,
        tools: ['gdb'],
        command: () => 'sh py-bt.sh',
      },
    ],
  },
  {
    id: 'hang',
    title: 'It hangs',
    description: 'More when it is wanted.',
    impacts: ['none', 'slows', 'stops'],
    harmful: [
      {
        probe: 'py-bt',
        title: 'Stacks',
        impacts: ['stops'],
        always: false,
        tools: ['gdb'],
        command: () => 'sh py-bt.sh',
      },
    ],
  },
];

interface Setting {
  readonly policy?: Partial<BotOptions['policy']>;
  readonly audit?: BotOptions['audit'];
}

/** A workspace with a bot, a worker that remembers what it is asked for, and a third person who is not on call. */
const workspace = async ({ policy = {}, audit }: Setting = {}) => {
  const slack = await slackForTest();
  const eve = { ...slack.user('bob'), id: 'U0EVE0001' };
  const bob = slack.world.users.find(({ name }) => name === 'bob');
  if (bob === undefined) throw new Error('there is no bob');
  slack.world.users.push({ ...bob, id: eve.id, name: 'eve', realName: 'Eve Elsewhere' });
  for (const channel of slack.world.channels) channel.members.push(eve.id);
  const redis = await redisForTest();
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-approvals-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const asked: Request[] = [];
  const options = {
    playbooks: BOOKS,
    policy: { allow: ['none', 'slows'], rules: RULES, ...policy },
    audit: audit ?? openAudit({ folder, side: 'bot' }),
  } satisfies Partial<BotOptions>;
  const another = () => botForTest(slack, redis.url, options);
  const first = await another();
  workerForTest(redis.url, async (request) => {
    asked.push(request);
    const figures = { rssKib: 2 * GIB, threads: 4 };
    return { outcome: { kind: 'report', report: { ...reportFor(request), figures } }, files: [] };
  });
  const written = async (): Promise<AuditEntry[]> => {
    const entries: AuditEntry[] = [];
    for await (const line of readAudit(folder)) if (line.ok) entries.push(line.entry);
    return entries;
  };
  return { slack, redis, folder, asked, another, written, ...first };
};

const lookAt = async (slack: LocalSlack, words: string, who = 'bob'): Promise<string> => {
  await slack.user(who).slash('/diagnose', words, 'ops');
  const [first] = await slack.waitFor(
    () => (threadsIn(slack, 'ops').length > 0 ? threadsIn(slack, 'ops') : undefined),
    {
      timeoutMs: 60_000,
      what: 'a thread',
    },
  );
  return first?.ts ?? '';
};

/** The question for an approval, once it stands in the thread. */
const questionIn = (slack: LocalSlack, ts: string): Promise<SlackMessage> =>
  slack.waitFor(
    () => slack.thread('ops', ts).find((each) => buttonsOf(each).some(({ label }) => label === 'Approve')),
    {
      timeoutMs: 60_000,
      what: 'the question for an approval',
    },
  );

const now = (slack: LocalSlack, message: SlackMessage): SlackMessage | undefined =>
  slack.thread('ops', message.thread_ts ?? '').find(({ ts }) => ts === message.ts);

const becomes = (slack: LocalSlack, message: SlackMessage, words: RegExp): Promise<string> =>
  slack.waitFor(
    () => {
      const text = shown(now(slack, message));
      return words.test(text) && buttonsOf(now(slack, message)).length === 0 ? text : undefined;
    },
    { timeoutMs: 60_000, what: `the question says ${words}` },
  );

const told = (slack: LocalSlack, who: string, words: string) =>
  slack.waitFor(() => slack.ephemerals(who).find((message) => message.text.includes(words)), {
    timeoutMs: 60_000,
    what: `${who} is told ${words}`,
  });

/** A thread with a finished look, in which bob has asked for a core. */
const askedForCore = async (setting: Setting = {}) => {
  const it = await workspace(setting);
  const ts = await lookAt(it.slack, 'web-7 6325');
  await finishedThread(it.slack, 'ops', 1).catch(() => undefined);
  it.slack.user('bob').say('gcore', { channel: 'ops', threadTs: ts });
  return { ...it, ts, question: await questionIn(it.slack, ts) };
};

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
  await slack.waitFor(() => asked.length === 2, { timeoutMs: 60_000, what: 'the approved look' });
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

  const again = { ...question, channel: question.channel };
  expect(() => pressButton(slack, 'eve', again, 'Approve')).toThrow('there is no button Approve');
  const events = (await written()).filter(({ playbook }) => playbook === 'gcore');
  expect(events.map(({ event, user }) => [event, user])).toEqual([
    ['approval-asked', slack.user('bob').id],
    ['approved', slack.user('alice').id],
    ['requested', slack.user('bob').id],
  ]);
  expect(new Set(events.map(({ request }) => request)).size).toBe(1);
});

test('who asked, who is not on call, a guest and a stranger may not approve, and leave the button to others', async () => {
  const { slack, asked, question, written } = await askedForCore();
  await pressButton(slack, 'bob', question, 'Approve');
  await told(
    slack,
    'bob',
    `You asked for this yourself, so somebody else has to approve it: <@${slack.user('alice').id}>.`,
  );
  await pressButton(slack, 'eve', question, 'Approve');
  await told(slack, 'eve', 'You may not approve `stops` and `writes-disk` on `web-7`.');
  await pressButton(slack, 'eve', question, 'Refuse');
  await pressButton(slack, 'carol', question, 'Approve');
  await told(slack, 'carol', 'I take no requests from guests.');
  // In a channel that is shared with another company.
  slack.world.channels.find(({ name }) => name === 'ops')?.members.push(slack.user('dana').id);
  await pressButton(slack, 'dana', question, 'Approve');
  await told(slack, 'dana', 'I only take requests from members of this workspace.');
  expect(buttonsOf(now(slack, question))).toHaveLength(2);
  expect(asked).toHaveLength(1);
  const denied = (await written()).filter(({ event }) => event === 'denied').map(({ user }) => user);
  for (const who of ['bob', 'eve', 'carol', 'dana']) expect(denied).toContain(slack.user(who).id);

  await pressButton(slack, 'alice', question, 'Approve');
  await becomes(slack, question, /Approved by/);
  await slack.waitFor(() => asked.length === 2, { timeoutMs: 60_000, what: 'the approved look' });
});

test('who has left the group since, or was made a guest, may no longer approve', async () => {
  const { slack, asked, question } = await askedForCore();
  const group = slack.world.usergroups.find(({ id }) => id === ONCALL);
  if (group === undefined) throw new Error('there is no such group');
  group.users = [slack.user('bob').id];
  await pressButton(slack, 'alice', question, 'Approve');
  await told(slack, 'alice', 'Who may: nobody now, as the policy stands.');
  expect(asked).toHaveLength(1);
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
  await told(slack, 'alice', 'It was withdrawn by <@');
  expect(asked).toHaveLength(1);
  expect(replies()).toHaveLength(1);
  expect((await written()).filter(({ event }) => event === 'refused').map(({ outcome }) => outcome)).toEqual([
    `asked by ${slack.user('bob').id}; withdrawn by cancel`,
  ]);
  slack.user('alice').say('cancel', { channel: 'ops', threadTs: ts });
  await slack.waitFor(
    () => slack.thread('ops', ts).find((each) => shown(each).includes('so there is nothing to cancel')),
    { timeoutMs: 60_000, what: 'that there is nothing more' },
  );
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
  await told(slack, 'alice', '“Approve” works no longer: its time is over.');
  await queue.accept({ ...press, id: 'unseen', at: Date.now() - 60_000 });
  await told(slack, 'alice', 'It is too late: the approval has expired.');
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
  await slack.waitFor(() => asked.length === 2, { timeoutMs: 60_000, what: 'the approved look' });
  expect(asked[1]?.approval?.by).toBe(slack.user('alice').id);
});

test('/diagnose with such a playbook opens the thread, asks in it, and shows the look in the first message', async () => {
  const { slack, asked } = await workspace();
  const ts = await lookAt(slack, 'web-7 6325 gcore');
  const question = await questionIn(slack, ts);
  expect(shown(threadsIn(slack, 'ops')[0])).toContain('needs an approval');
  expect(shown(question)).toContain('unknown until the process has been identified');
  expect(asked).toEqual([]);
  await pressButton(slack, 'alice', question, 'Approve');
  await slack.waitFor(() => /^🔴/u.test(shown(threadsIn(slack, 'ops')[0])), { timeoutMs: 60_000, what: 'the report' });
  expect(asked[0]?.approval).toMatchObject({ by: slack.user('alice').id, pid: 6325 });
  expect(asked[0]?.approval?.startTime).toBeUndefined();
});

test('a refused /diagnose says so in the first message', async () => {
  const { slack, asked } = await workspace();
  const ts = await lookAt(slack, 'web-7 6325 gcore');
  await pressButton(slack, 'alice', await questionIn(slack, ts), 'Refuse');
  await slack.waitFor(() => /⚪ Could not look/u.test(shown(threadsIn(slack, 'ops')[0])), {
    timeoutMs: 60_000,
    what: 'the first message says so',
  });
  expect(shown(threadsIn(slack, 'ops')[0])).toContain('The approval was refused.');
  expect(asked).toEqual([]);
});

test('again, after an approved look, asks for another approval', async () => {
  const { slack, asked } = await workspace();
  const ts = await lookAt(slack, 'web-7 6325 gcore');
  await pressButton(slack, 'alice', await questionIn(slack, ts), 'Approve');
  await slack.waitFor(() => /^🔴/u.test(shown(threadsIn(slack, 'ops')[0])), { timeoutMs: 60_000, what: 'the report' });
  slack.user('bob').say('again', { channel: 'ops', threadTs: ts });
  const second = await questionIn(slack, ts);
  expect(shown(second)).toContain('2.0 GiB resident');
  expect(asked).toHaveLength(1);
  await pressButton(slack, 'alice', second, 'Approve');
  await slack.waitFor(() => asked.length === 2, { timeoutMs: 60_000, what: 'the second look' });
  expect(asked[1]?.origin).toHaveProperty('messageTs');
});

test('a playbook whose dear steps are only run when they are wanted asks nobody', async () => {
  const { slack, asked } = await workspace();
  await lookAt(slack, 'web-7 6325 hang');
  await slack.waitFor(() => asked.length === 1, { timeoutMs: 60_000, what: 'the look' });
  expect(asked[0]?.allow).toEqual(['none', 'slows']);
  expect(asked[0]?.approval).toBeUndefined();
  const opened = slack.requests('chat.postMessage').map(({ args }) => JSON.stringify(args));
  expect(opened.find((args) => args.includes('are left out'))).toMatch(/py-bt.* in the thread asks for an approval/);
});

test('where a rule allows it nobody is asked, and where no rule reaches it is said that nobody could approve', async () => {
  const rules = [{ people: ['U0BOB0001'], hosts: ['web-8'], allow: ['stops', 'writes-disk'], approve: [] }] as const;
  const { slack, asked } = await workspace({
    policy: {
      rules: rules.map((rule) => ({
        ...rule,
        people: [...rule.people],
        hosts: [...rule.hosts],
        allow: [...rule.allow],
        approve: [],
      })),
    },
  });
  const ts = await lookAt(slack, 'web-8 77 gcore');
  await slack.waitFor(() => asked.length === 1, { timeoutMs: 60_000, what: 'the look' });
  expect(asked[0]?.allow).toEqual(['none', 'slows', 'stops', 'writes-disk']);
  slack.user('bob').say('gcore on web-7 6325', { channel: 'ops', threadTs: ts });
  await slack.waitFor(
    () => slack.thread('ops', ts).find((each) => /names nobody who could approve more/.test(shown(each))),
    {
      timeoutMs: 60_000,
      what: 'the answer',
    },
  );
  expect(asked).toHaveLength(1);
});

test('in a small team the requester approves, where the policy says so', async () => {
  const { slack, asked, question } = await askedForCore({ policy: { selfApproval: true } });
  await pressButton(slack, 'bob', question, 'Approve');
  await becomes(slack, question, /Approved by/);
  await slack.waitFor(() => asked.length === 2, { timeoutMs: 60_000, what: 'the approved look' });
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
