import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { BotOptions } from '../../bot/bot.ts';
import { type AuditEntry, openAudit } from '../../infra/audit.ts';
import { readAudit } from '../../infra/audit-read.ts';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';
import { botForTest, finishedThread, PLAYBOOKS, reportFor, shown, threadsIn } from '../support/bot.ts';
import { buttonsOf, messageNow, messageWithButton } from '../support/buttons.ts';
import { siteForTest } from '../support/site.ts';

/** The group that is on call in the local workspace. */
export const ONCALL = 'S0ONCALL1';
const GIB_IN_KIB = 1024 * 1024;

export type Rule = NonNullable<BotOptions['policy']['rules']>[number];

/** A core may be taken on web hosts when one of the group on call says yes. */
export const RULES: Rule[] = [{ groups: [ONCALL], hosts: ['web-*'], allow: [], approve: ['stops', 'writes-disk'] }];

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

export interface Setting {
  readonly policy?: Partial<BotOptions['policy']>;
  readonly audit?: BotOptions['audit'];
}

/** A workspace with a bot, a worker, and a third person, eve, who is not on call. */
export const workspace = async ({ policy = {}, audit }: Setting = {}) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-approvals-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const options = {
    playbooks: BOOKS,
    policy: { allow: ['none', 'slows'], rules: RULES, ...policy },
    audit: audit ?? openAudit({ folder, side: 'bot' }),
  } satisfies Partial<BotOptions>;
  const it = await siteForTest({
    ...options,
    look: async (request) => {
      const figures = { rssKib: 2 * GIB_IN_KIB, threads: 4 };
      return { outcome: { kind: 'report', report: { ...reportFor(request), figures } }, files: [] };
    },
  });
  const { slack, redis } = it;
  const bob = slack.world.users.find(({ name }) => name === 'bob');
  if (bob === undefined) throw new Error('there is no bob');
  const eve = { ...bob, id: 'U0EVE0001', name: 'eve', realName: 'Eve Elsewhere' };
  slack.world.users.push(eve);
  for (const channel of slack.world.channels) channel.members.push(eve.id);
  /** What the bot has written into its audit log. */
  const written = async (): Promise<AuditEntry[]> => {
    const entries: AuditEntry[] = [];
    for await (const line of readAudit(folder)) if (line.ok) entries.push(line.entry);
    return entries;
  };
  return { ...it, written, another: () => botForTest(slack, redis.url, options) };
};

/** Asks for a look; the timestamp of the thread that is opened for it. */
export const lookAt = async (slack: LocalSlack, words: string): Promise<string> => {
  await slack.user('bob').slash('/diagnose', words, 'ops');
  const first = await slack.waitFor(() => threadsIn(slack, 'ops')[0], { timeoutMs: 60_000, what: 'a thread' });
  return first.ts;
};

/** The question for an approval, once it stands in the thread. */
export const questionIn = (slack: LocalSlack, ts: string): Promise<SlackMessage> =>
  messageWithButton(slack, 'ops', ts, 'Approve');

/** Waits until the question says these words and has no buttons any more; what it says then. */
export const becomes = (slack: LocalSlack, message: SlackMessage, words: RegExp): Promise<string> =>
  slack.waitFor(
    () => {
      const now = messageNow(slack, message);
      return words.test(shown(now)) && buttonsOf(now).length === 0 ? shown(now) : undefined;
    },
    { timeoutMs: 60_000, what: `the question says ${words}` },
  );

/** Waits until the first message of the channel's first thread says these words. */
export const firstBecomes = (slack: LocalSlack, words: RegExp): Promise<boolean> =>
  slack.waitFor(() => words.test(shown(threadsIn(slack, 'ops')[0])), {
    timeoutMs: 60_000,
    what: `the first message says ${words}`,
  });

/** A thread with a finished look, in which bob has asked for a core. */
export const askedForCore = async (setting: Setting = {}) => {
  const it = await workspace(setting);
  const ts = await lookAt(it.slack, 'web-7 6325');
  await finishedThread(it.slack, 'ops');
  it.slack.user('bob').say('gcore', { channel: 'ops', threadTs: ts });
  return { ...it, ts, question: await questionIn(it.slack, ts) };
};
