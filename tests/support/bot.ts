import { expect, onTestFinished } from 'vitest';
import { type BotOptions, type RunningBot, startBot } from '../../bot/bot.ts';
import { silentLog } from '../../infra/log.ts';
import { type BotQueue, openBotQueue } from '../../infra/queue/bot-side.ts';
import type { RedisAddress } from '../../infra/queue/place.ts';
import type { LookHandler } from '../../infra/queue/worker-side.ts';
import type { LocalSlackOptions } from '../../infra/sandbox/slack/options.ts';
import { type LocalSlack, startLocalSlack } from '../../infra/sandbox/slack/server.ts';
import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';
import type { Report, Request } from '../../playbooks/model/index.ts';
import { workerQueueForTest } from './queue.ts';
import { sickReport } from './reports.ts';

export const PLAYBOOKS: BotOptions['playbooks'] = [
  { id: 'triage', title: 'First look', description: 'Everything that does no harm.', impacts: ['none', 'slows'] },
  { id: 'strace', title: 'System calls', description: 'One trace.', impacts: ['slows'] },
  { id: 'gcore', title: 'A core', description: 'A core and what it shows.', impacts: ['stops', 'writes-disk'] },
];

export const HOSTS: BotOptions['hosts'] = {
  names: ['local', 'web-7', 'web-8', 'db-1'],
  known: (name) => ['local', 'web-7', 'web-8', 'db-1'].includes(name) || name.startsWith('cache-'),
};

/** A Slack of this test's own, ended after it. */
export const slackForTest = async (options: LocalSlackOptions = {}): Promise<LocalSlack> => {
  const slack = await startLocalSlack(options);
  onTestFinished(() => slack.close());
  return slack;
};

export interface BotForTest {
  readonly queue: BotQueue;
  readonly bot: RunningBot;
  /** Ends bot and queue in the program's own order. */
  readonly close: () => Promise<void>;
}

/** The real bot against a local Slack and a real Redis, ended after the test. */
export const botForTest = async (
  slack: LocalSlack,
  redisUrl: RedisAddress,
  change: Partial<Omit<BotOptions, 'slack' | 'queue'>> & { http?: number; timeoutMs?: number } = {},
): Promise<BotForTest> => {
  const { http, timeoutMs, ...options } = change;
  const log = options.log ?? silentLog;
  const queue = openBotQueue({ redisUrl, log, leaseMs: 5_000, stalledCheckMs: 200 });
  let closed: Promise<void> | null = null;
  let bot: RunningBot | null = null;
  const close = () => {
    closed ??= (async () => {
      await bot?.close();
      await queue.close();
    })();
    return closed;
  };
  onTestFinished(close);
  bot = await startBot({
    slack: {
      mode: http === undefined ? 'socket' : 'http',
      botToken: slack.botToken,
      appToken: slack.appToken,
      signingSecret: slack.signingSecret,
      port: http ?? 0,
      apiUrl: slack.apiUrl,
      timeoutMs,
    },
    hosts: HOSTS,
    playbooks: PLAYBOOKS,
    policy: { allow: ['none', 'slows'] },
    ...options,
    queue,
    log,
  });
  return { queue, bot, close };
};

/** The report that `sickReport` is, for this request. */
export const reportFor = (request: Request, report: Report = sickReport): Report => ({
  ...report,
  id: request.id,
  playbook: request.playbook,
  target: { ...report.target, host: request.host, pid: request.pid },
});

/** A worker whose looks are what the test says; without a handler each gives the sick report and one file. */
export const workerForTest = (redisUrl: RedisAddress, handler?: LookHandler) => {
  const worker = workerQueueForTest(redisUrl, { concurrency: 8 });
  worker.work(
    handler ??
      (async (request) => ({
        outcome: { kind: 'report', report: reportFor(request) },
        files: [{ name: 'E1-identify.txt', evidenceId: 'E1', content: Buffer.from('pid 6325\n'), truncated: false }],
      })),
  );
  return worker;
};

/** A message's words as a person reads them, all blocks together. */
export const shown = (message: SlackMessage | undefined): string => {
  const words = (tree: unknown): string[] => {
    if (Array.isArray(tree)) return tree.flatMap(words);
    if (typeof tree !== 'object' || tree === null) return [];
    return Object.entries(tree).flatMap(([name, value]) =>
      name === 'text' && typeof value === 'string' ? [value] : words(value),
    );
  };
  return message === undefined ? '' : words(message.blocks ?? []).join('\n') || message.text;
};

/** The bot's first messages in a channel, oldest first. */
export const threadsIn = (slack: LocalSlack, channel: string): SlackMessage[] =>
  slack
    .messages(channel)
    .filter(
      (message) =>
        (message.bot_id !== undefined && message.thread_ts === undefined) || message.thread_ts === message.ts,
    );

/** Waits until threads of the channel hold all that belongs to the end of a look: final first message, report, files. */
export const finishedThread = (
  slack: LocalSlack,
  channel: string,
  count = 1,
  final = /^(?:🔴|🟢|🟡)/u,
): Promise<SlackMessage[]> =>
  slack.waitFor(
    () => {
      const whole = threadsIn(slack, channel)
        .filter((first) => final.test(shown(first)))
        .map((first) => slack.thread(channel, first.ts))
        .filter((messages) => messages.some((message) => (message.files?.length ?? 0) > 0));
      return whole.length >= count ? whole.flat() : undefined;
    },
    { timeoutMs: 60_000, what: 'a finished thread' },
  );

/** Waits until nothing is left to do: what could still be posted twice has been posted by then. */
export const quiet = async (queue: BotQueue): Promise<void> => {
  await expect.poll(() => queue.pending(), { timeout: 60_000 }).toEqual({ intake: 0, looks: 0, answers: 0 });
};
