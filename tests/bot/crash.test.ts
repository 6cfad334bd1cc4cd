import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import type { LoggedRequest } from '../../infra/sandbox/slack/types.ts';
import { botForTest, finishedThread, quiet, shown, slackForTest, threadsIn, workerForTest } from '../support/bot.ts';
import { redisForTest, startProcess } from '../support/queue.ts';

const BOT = fileURLToPath(new URL('./bot-process.ts', import.meta.url));

const isThreadPost = (request: LoggedRequest) =>
  request.method === 'chat.postMessage' && request.args.thread_ts !== undefined;

/** The moments at which the bot is killed, by the request to Slack that has just been answered. */
const MOMENTS: [string, (request: LoggedRequest) => boolean][] = [
  ['has posted the first message', (request) => request.method === 'chat.postMessage'],
  ['has posted the report', isThreadPost],
  ['has shared the files', (request) => request.method === 'files.completeUploadExternal'],
];

test.each(MOMENTS)(
  'a bot that is killed when it %s: the next one makes no post twice and leaves none out',
  async (_name, moment) => {
    const slack = await slackForTest();
    const redis = await redisForTest();
    const { child, says, ended } = startProcess(BOT, [redis.url, slack.apiUrl, slack.botToken, slack.appToken]);
    await says('ready');
    workerForTest(redis.url);
    const stop = slack.on('request', ({ request }) => {
      if (moment(request)) child.kill('SIGKILL');
    });
    onTestFinished(stop);
    await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
    await ended;
    stop();
    const before = slack.requests('auth.test').length;
    const next = await botForTest(slack, redis.url);
    expect(slack.requests('auth.test').length).toBe(before + 1);
    await finishedThread(slack, 'ops');
    // Until the killed bot's answer has been taken over and found done, something could still be posted.
    await quiet(next.queue);
    const threads = threadsIn(slack, 'ops');
    expect(threads).toHaveLength(1);
    expect(shown(threads[0])).toContain('🔴');
    const replies = slack.thread('ops', threads[0]?.ts ?? '').slice(1);
    const kinds = replies.map((message) => {
      if (message.files !== undefined) return 'files';
      return message.blocks?.[0]?.type === 'actions' ? 'buttons' : 'report';
    });
    expect(kinds).toEqual(['report', 'files', 'buttons']);
  },
);
