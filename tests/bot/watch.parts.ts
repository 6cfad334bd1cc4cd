import { expect, onTestFinished } from 'vitest';
import { runningWatches } from '../../bot/watches/state.ts';
import type { BotQueue } from '../../infra/queue/bot-side.ts';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import { LookFailed, type Report, type Request } from '../../playbooks/model/index.ts';
import {
  botForTest,
  finishedThread,
  quiet,
  reportFor,
  shown,
  slackForTest,
  threadsIn,
  workerForTest,
} from '../support/bot.ts';
import { redisForTest } from '../support/queue.ts';
import { healthyReport } from '../support/reports.ts';

/** How the process of a test is. Looks find it so; those of a watch are counted. */
export interface Process {
  report: Report;
  gone: boolean;
  readonly looks: Request[];
}

/** A bot whose watches look often. */
export const EVERY = { watchEveryMs: 150 };

/** A worker whose looks find the process as it is. */
export const workOn = (redisUrl: string, process: Process) =>
  workerForTest(redisUrl, async (request) => {
    if (request.playbook === 'watch') process.looks.push(request);
    if (process.gone) throw new LookFailed('no-such-process', `There is no process ${request.pid} on ${request.host}.`);
    const rssKib = (100 + process.looks.length) * 1024;
    const figures = { cpuPercent: 10 * process.looks.length, rssKib, threads: 8, fds: 40 };
    return {
      outcome: { kind: 'report', report: { ...reportFor(request, process.report), figures } },
      files: [{ name: 'E1-identify.txt', evidenceId: 'E1', content: Buffer.from('pid 6325\n'), truncated: false }],
    };
  });

/** A bot, a worker, and a thread in which a look has ended that found nothing. */
export const thread = async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const process: Process = { report: healthyReport, gone: false, looks: [] };
  const first = await botForTest(slack, redis.url, EVERY);
  const worker = workOn(redis.url, process);
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await finishedThread(slack, 'ops');
  await quiet(first.queue);
  const ts = threadsIn(slack, 'ops')[0]?.ts ?? '';
  const { queue } = first;
  // Its looks go on until it is ended, and the test with them.
  onTestFinished(async () => {
    process.gone = true;
  });
  return { slack, redis, process, ts, queue, first, worker, place: { channel: 'ops', threadTs: ts } };
};

/** The bot's messages in a thread that hold these words. */
export const replies = (slack: LocalSlack, ts: string, words: string) =>
  slack.thread('ops', ts).filter((message) => message.bot_id !== undefined && shown(message).includes(words));

/** Waits for such a message. */
export const reply = (slack: LocalSlack, ts: string, words: string) =>
  slack.waitFor(() => replies(slack, ts, words)[0], { timeoutMs: 60_000, what: `a reply with ${words}` });

/** Waits for so many more looks of the watch. */
export const looks = (process: Process, more: number) => {
  const wanted = process.looks.length + more;
  return expect.poll(() => process.looks.length, { timeout: 60_000 }).toBeGreaterThanOrEqual(wanted);
};

/** The one watch that runs. */
export const only = async (queue: BotQueue) => {
  const [watch, ...more] = await runningWatches(queue, () => true);
  expect(more).toEqual([]);
  if (watch === undefined) throw new Error('nothing is watched');
  return watch;
};
