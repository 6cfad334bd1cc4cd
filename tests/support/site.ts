import type { BotOptions } from '../../bot/bot.ts';
import type { OwnRedis } from '../../infra/queue/redis-server.ts';
import type { LookHandler } from '../../infra/queue/worker-side.ts';
import type { LocalSlackOptions } from '../../infra/sandbox/slack/options.ts';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';
import type { Request } from '../../playbooks/model/index.ts';
import {
  type BotForTest,
  botForTest,
  finishedThread,
  reportFor,
  shown,
  slackForTest,
  threadsIn,
  workerForTest,
} from './bot.ts';
import { redisForTest } from './queue.ts';

/** A look that ends with the sick report and hands over no evidence. */
export const reported: LookHandler = async (request) => ({
  outcome: { kind: 'report', report: reportFor(request) },
  files: [],
});

/** The same, with one piece of evidence. */
export const reportedWithEvidence: LookHandler = async (request) => ({
  outcome: { kind: 'report', report: reportFor(request) },
  files: [{ name: 'E1-identify.txt', evidenceId: 'E1', content: Buffer.from('pid 6325\n'), truncated: false }],
});

export type SiteChange = Partial<Omit<BotOptions, 'slack' | 'queue'>> & {
  readonly workspace?: LocalSlackOptions;
  /** How long the bot waits for an answer of Slack. */
  readonly timeoutMs?: number;
  /** What a look does; without it `reported`. */
  readonly look?: LookHandler;
};

export interface SiteForTest extends BotForTest {
  readonly slack: LocalSlack;
  readonly redis: OwnRedis & { restart: () => Promise<void> };
  /** What the worker has been asked for, oldest first. */
  readonly asked: Request[];
}

/** A whole site of this test's own: a workspace, a Redis, the bot and a worker. All end after the test. */
export const siteForTest = async ({ workspace, look = reported, ...change }: SiteChange = {}): Promise<SiteForTest> => {
  const slack = await slackForTest(workspace);
  const redis = await redisForTest();
  const started = await botForTest(slack, redis.url, change);
  const asked: Request[] = [];
  workerForTest(redis.url, async (request, tools) => {
    asked.push(request);
    return await look(request, tools);
  });
  return { slack, redis, asked, ...started };
};

/** A site, and a thread of #ops in which a look has ended that bob asked for with these words. */
export const threadForTest = async (change: SiteChange & { readonly words?: string } = {}) => {
  const { words = 'web-7 6325', ...site } = change;
  const it = await siteForTest(site);
  await it.slack.user('bob').slash('/diagnose', words, 'ops');
  await finishedThread(it.slack, 'ops');
  const ts = threadsIn(it.slack, 'ops')[0]?.ts ?? '';
  return { ...it, ts, place: { channel: 'ops', threadTs: ts } };
};

/** Waits for the first message of a thread of #ops that is as wanted. */
export const inThread = (
  slack: LocalSlack,
  ts: string,
  wanted: (message: SlackMessage) => boolean,
  what: string,
): Promise<SlackMessage> =>
  slack.waitFor(() => slack.thread('ops', ts).find(wanted), { timeoutMs: 60_000, what: `in the thread ${what}` });

/** Waits for a message of the bot in a thread that holds these words. */
export const replyWith = (slack: LocalSlack, channel: string, ts: string, words: string): Promise<SlackMessage> =>
  slack.waitFor(
    () => slack.thread(channel, ts).find((message) => message.bot_id !== undefined && shown(message).includes(words)),
    { timeoutMs: 60_000, what: `a reply with ${words}` },
  );

/** Waits until somebody is told these words, seen by nobody else. */
export const toldTo = (slack: LocalSlack, who: string, words: string): Promise<SlackMessage> =>
  slack.waitFor(() => slack.ephemerals(who).find((message) => message.text.includes(words)), {
    timeoutMs: 60_000,
    what: `${who} is told ${words}`,
  });

/** Waits until the worker has been asked for so many looks. */
export const looksAsked = (slack: LocalSlack, asked: readonly Request[], count: number): Promise<boolean> =>
  slack.waitFor(() => asked.length === count, { timeoutMs: 60_000, what: `${count} looks` });
