import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import type { BotOptions } from '../../bot/bot.ts';
import type { FaultKind } from '../../infra/sandbox/slack/faults.ts';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import type { LoggedRequest, SlackMessage } from '../../infra/sandbox/slack/types.ts';
import type { Request } from '../../playbooks/model/index.ts';
import { botForTest, reportFor, shown, slackForTest, threadsIn, workerForTest } from '../support/bot.ts';
import { buttonsOf, messageWithButton, pressButton } from '../support/buttons.ts';
import { redisForTest, startProcess } from '../support/queue.ts';

const BOT = fileURLToPath(new URL('./approval-bot-process.ts', import.meta.url));
const settings: Partial<BotOptions> = {
  policy: {
    allow: ['none', 'slows'],
    rules: [{ groups: ['S0ONCALL1'], allow: [], approve: ['stops', 'writes-disk'] }],
  },
};

/** The words of a request's content, whatever form it came in. */
const says = (request: LoggedRequest, words: string): boolean => JSON.stringify(request.args).includes(words);

const questionsIn = (slack: LocalSlack, ts: string): SlackMessage[] =>
  slack.thread('ops', ts).filter((message) => /Approval wanted/.test(shown(message)));

const startedThread = async (slack: LocalSlack): Promise<{ ts: string; question: SlackMessage }> => {
  await slack.user('bob').slash('/diagnose', 'web-7 6325 gcore', 'ops');
  const first = await slack.waitFor(() => threadsIn(slack, 'ops')[0], { timeoutMs: 60_000, what: 'the thread' });
  return { ts: first.ts, question: await messageWithButton(slack, 'ops', first.ts, 'Approve') };
};

/** Everything has come to its end: the report is in the first message, and the question says who approved. */
const expectOneLook = async (slack: LocalSlack, ts: string, asked: readonly Request[]): Promise<void> => {
  await slack.waitFor(() => /^🔴/u.test(shown(threadsIn(slack, 'ops')[0])), { timeoutMs: 60_000, what: 'the report' });
  await slack.waitFor(() => questionsIn(slack, ts).every((message) => /Approved by/.test(shown(message))), {
    timeoutMs: 60_000,
    what: 'the question says who approved',
  });
  expect(questionsIn(slack, ts)).toHaveLength(1);
  expect(questionsIn(slack, ts).flatMap(buttonsOf)).toEqual([]);
  expect(new Set(asked.map(({ id }) => id)).size).toBe(1);
  expect(asked).toHaveLength(1);
  expect(asked[0]?.approval?.by).toBe(slack.user('alice').id);
};

const lookingWorker = (redisUrl: string): Request[] => {
  const asked: Request[] = [];
  workerForTest(redisUrl, async (request) => {
    asked.push(request);
    return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
  });
  return asked;
};

test.each<FaultKind>(['429', '500', 'drop', 'after-effect-500', 'after-effect-drop'])(
  'Slack answers with %s on the way: one question, one look, and it is shown who approved',
  async (kind) => {
    const slack = await slackForTest();
    const redis = await redisForTest();
    await botForTest(slack, redis.url, settings);
    const asked = lookingWorker(redis.url);
    const methods = ['chat.postMessage', 'chat.update', 'usergroups.users.list', 'users.info'];
    for (const method of methods) slack.faults.add({ kind, method, retryAfter: 1 });
    const isQuestion = (args: Record<string, unknown>) => JSON.stringify(args).includes('Approval wanted');
    slack.faults.add({ kind, method: 'chat.postMessage', retryAfter: 1, match: isQuestion });
    const { ts, question } = await startedThread(slack);
    slack.faults.add({ kind, method: 'chat.update', retryAfter: 1, match: isQuestion });
    slack.faults.add({ kind, method: 'usergroups.users.list', retryAfter: 1 });
    await pressButton(slack, 'alice', question, 'Approve');
    await expectOneLook(slack, ts, asked);
  },
);

/** The moments at which the bot is killed, by the request to Slack that has just been answered. */
const MOMENTS: [string, (request: LoggedRequest) => boolean][] = [
  ['put the question', (request) => request.method === 'chat.postMessage' && says(request, 'Approval wanted')],
  [
    'asked who is on call',
    (request) => request.method === 'usergroups.users.list' && request.args.usergroup === 'S0ONCALL1',
  ],
  ['shown who approved', (request) => request.method === 'chat.update' && says(request, 'Approved by')],
  ['shown that the look starts', (request) => request.method === 'chat.update' && says(request, 'Approved. Starting')],
];

test.each(MOMENTS)('a bot that is killed when it has %s: the next one goes on with it, once', async (_name, moment) => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const asked = lookingWorker(redis.url);
  const { child, says: tells, ended } = startProcess(BOT, [redis.url, slack.apiUrl, slack.botToken, slack.appToken]);
  await tells('ready');
  const dead = ended.then(() => botForTest(slack, redis.url, settings));
  onTestFinished(async () => void (await dead));
  const stop = slack.on('request', ({ request }) => {
    if (moment(request)) child.kill('SIGKILL');
  });
  onTestFinished(stop);
  const { ts, question } = await startedThread(slack);
  // The button that stands there works, whichever bot put it there.
  const pressed = await Promise.resolve(pressButton(slack, 'alice', question, 'Approve'));
  if (!pressed.ack.acked) {
    await dead;
    await pressButton(slack, 'alice', question, 'Approve');
  }
  await dead;
  await expectOneLook(slack, ts, asked);
});
