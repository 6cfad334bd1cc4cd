import { fileURLToPath } from 'node:url';
import { onTestFinished, test } from 'vitest';
import { silentLog } from '../../../infra/log.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import type { LoggedRequest } from '../../../infra/sandbox/slack/types.ts';
import { course, expectWhole, notice, tell } from '../../support/alert-groups.ts';
import { PID_ROUTE, routing } from '../../support/alert-routing.ts';
import { botForTest, slackForTest, workerForTest } from '../../support/bot.ts';
import { redisForTest, startProcess } from '../../support/queue.ts';

const BOT = fileURLToPath(new URL('./alert-bot-process.ts', import.meta.url));

const isLook = ({ args }: LoggedRequest) => JSON.stringify(args).includes('An alert asked.');

/** The moments at which the bot is killed, by the request to Slack that has just been answered. */
const MOMENTS: [string, (request: LoggedRequest) => boolean][] = [
  ['has opened the thread', ({ method, args }) => method === 'chat.postMessage' && args.thread_ts === undefined],
  ['has shown the look', (request) => request.method === 'chat.postMessage' && isLook(request)],
  ['edits the first message', ({ method }) => method === 'chat.update'],
];

test.each(MOMENTS)('a bot that is killed when it %s: the next one goes on, once', async (_name, moment) => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const { child, says, ended } = startProcess(BOT, [redis.url, slack.apiUrl, slack.botToken, slack.appToken]);
  await says('ready');
  workerForTest(redis.url);
  const stop = slack.on('request', ({ request }) => {
    if (moment(request)) child.kill('SIGKILL');
  });
  onTestFinished(stop);
  const teller = openBotQueue({ redisUrl: redis.url, log: silentLog });
  onTestFinished(() => teller.close());
  await tell(teller, notice());
  await ended;
  stop();
  const next = await botForTest(slack, redis.url, { alerts: routing({ routes: [PID_ROUTE] }) });
  await course(next.queue);
  expectWhole(slack, 1);
});
