import { expect, onTestFinished, test } from 'vitest';
import type { FaultKind } from '../../infra/sandbox/slack/faults.ts';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
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
import { buttonsOf } from '../support/buttons.ts';
import { arrival, keptLog, redisForTest } from '../support/queue.ts';
import { until } from '../support/until.ts';

/** What a thread of one look must hold, each once: first message, report, files, buttons. */
const expectWhole = (slack: LocalSlack, channel: string, looks = 1) => {
  const threads = threadsIn(slack, channel);
  expect(threads).toHaveLength(looks);
  for (const first of threads) {
    expect(shown(first)).toContain('🔴');
    const replies = slack.thread(channel, first.ts).slice(1);
    const buttons = replies.filter((message) => buttonsOf(message).length > 0);
    expect(buttons).toHaveLength(1);
    const others = replies.filter((message) => !buttons.includes(message));
    expect(others.filter((message) => message.files === undefined)).toHaveLength(1);
    expect(replies.filter((message) => message.files !== undefined)).toHaveLength(1);
  }
};

const POSTS = ['chat.postMessage', 'files.completeUploadExternal'] as const;
const REPEATABLE = ['chat.update', 'users.info', 'files.getUploadURLExternal', 'upload'] as const;

test.each<FaultKind>(['429', '500', 'drop', 'after-effect-500', 'after-effect-drop'])(
  'with one %s for every post, each is made exactly once',
  async (kind) => {
    const slack = await slackForTest();
    const redis = await redisForTest();
    const { queue } = await botForTest(slack, redis.url);
    workerForTest(redis.url);
    for (const method of POSTS) slack.faults.add({ kind, method, retryAfter: 1 });
    // The report comes after the first message, whose post has used up the fault above.
    slack.faults.add({
      kind,
      method: 'chat.postMessage',
      retryAfter: 1,
      match: (args) => args.thread_ts !== undefined,
    });
    await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
    await finishedThread(slack, 'ops');
    await quiet(queue);
    expectWhole(slack, 'ops');
  },
);

test.each<FaultKind>(['timeout', 'after-effect-timeout'])(
  'with one %s for a post, it is made exactly once',
  async (kind) => {
    const slack = await slackForTest();
    const redis = await redisForTest();
    const { queue } = await botForTest(slack, redis.url, { timeoutMs: 3_000 });
    workerForTest(redis.url);
    slack.faults.add({ kind, method: 'chat.postMessage', match: (args) => args.thread_ts !== undefined });
    await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
    await finishedThread(slack, 'ops');
    await quiet(queue);
    expectWhole(slack, 'ops');
  },
);

test.each<FaultKind>(['429', '500', 'drop'])('with %s for all that may be repeated, it is repeated', async (kind) => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const { queue } = await botForTest(slack, redis.url);
  workerForTest(redis.url);
  for (const method of REPEATABLE) slack.faults.add({ kind, method, retryAfter: 1 });
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await finishedThread(slack, 'ops');
  await quiet(queue);
  expectWhole(slack, 'ops');
});

test('a channel that Slack slows down holds up no other', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const { queue } = await botForTest(slack, redis.url);
  workerForTest(redis.url);
  const slow = slack.faults.add({
    kind: '429',
    method: 'chat.postMessage',
    times: Number.POSITIVE_INFINITY,
    retryAfter: 1,
    match: (args) => args.channel === slack.channel('ops'),
  });
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await slack.waitFor(() => slack.requests('chat.postMessage').some((request) => request.status === 429), {
    timeoutMs: 30_000,
  });
  await slack.user('bob').slash('/diagnose', 'web-8 6325', 'alerts');
  await finishedThread(slack, 'alerts');
  expect(threadsIn(slack, 'ops')).toEqual([]);
  slow.remove();
  await finishedThread(slack, 'ops');
  await quiet(queue);
  expectWhole(slack, 'ops');
  expectWhole(slack, 'alerts');
});

test('many looks in one channel under Slack’s own limits: every one is answered once', async () => {
  const slack = await slackForTest({ rateLimits: { postsPerSecond: 4, postBurst: 4, tiers: true } });
  const redis = await redisForTest();
  const { queue } = await botForTest(slack, redis.url);
  workerForTest(redis.url);
  const pids = Array.from({ length: 8 }, (_, index) => 100 + index);
  await Promise.all(pids.map((pid) => slack.user('bob').slash('/diagnose', `web-7 ${pid}`, 'ops')));
  await finishedThread(slack, 'ops', pids.length);
  await quiet(queue);
  expectWhole(slack, 'ops', pids.length);
  const titles = threadsIn(slack, 'ops').map(shown).join('\n');
  for (const pid of pids) expect(titles).toContain(`Process ${pid} on web-7`);
});

test('dropped sockets are opened again, and commands arrive', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const { queue } = await botForTest(slack, redis.url);
  workerForTest(redis.url);
  for (const cut of [() => slack.sockets.drop(), () => slack.sockets.disconnect('refresh_requested')]) {
    const gone = slack.waitFor((change) => change?.kind === 'sockets' && change.open === 0, { timeoutMs: 30_000 });
    cut();
    await gone;
    await slack.waitFor(() => slack.sockets.open > 0, { timeoutMs: 30_000, what: 'a new socket' });
  }
  slack.faults.add({ kind: '500', method: 'apps.connections.open', times: 2 });
  const gone = slack.waitFor((change) => change?.kind === 'sockets' && change.open === 0, { timeoutMs: 30_000 });
  slack.sockets.drop();
  await gone;
  await slack.waitFor(() => slack.sockets.open > 0, { timeoutMs: 30_000, what: 'a socket after two failures' });
  const { ack } = await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  expect(ack.acked).toBe(true);
  await finishedThread(slack, 'ops');
  await quiet(queue);
  expectWhole(slack, 'ops');
});

test('with Redis down the asker is told at once, and can ask again when it is back', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const { queue } = await botForTest(slack, redis.url);
  workerForTest(redis.url);
  await redis.close();
  const bob = slack.user('bob');
  for (const text of ['web-7 6325', 'status']) {
    const { ack, responses } = await bob.slash('/diagnose', text, 'ops');
    expect(ack.acked).toBe(true);
    expect(responses[0]?.text).toContain('The queue (Redis) does not answer');
  }
  await redis.restart();
  await expect
    .poll(async () => (await bob.slash('/diagnose', 'status', 'ops')).responses[0]?.text, { timeout: 20_000 })
    .toContain('0 waiting');
  await bob.slash('/diagnose', 'web-7 6325', 'ops');
  await finishedThread(slack, 'ops');
  await quiet(queue);
  expectWhole(slack, 'ops');
});

test('Redis restarts between request and answer: the thread gets its report', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const { queue } = await botForTest(slack, redis.url);
  const [started, goOn] = [arrival<void>(), arrival<void>()];
  workerForTest(redis.url, async (request) => {
    started.arrive();
    await goOn.promise;
    return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
  });
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await started.promise;
  await redis.close();
  goOn.arrive();
  await redis.restart();
  await finishedThread(slack, 'ops');
  await quiet(queue);
  expectWhole(slack, 'ops');
});

test('a bot that ends between request and answer leaves the thread to the next one', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const first = await botForTest(slack, redis.url);
  const [started, goOn] = [arrival<void>(), arrival<void>()];
  workerForTest(redis.url, async (request) => {
    started.arrive();
    await goOn.promise;
    return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
  });
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await started.promise;
  await first.close();
  goOn.arrive();
  const { queue } = await botForTest(slack, redis.url);
  await finishedThread(slack, 'ops');
  await quiet(queue);
  expectWhole(slack, 'ops');
});

test('two bots on one queue make every post once', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const { queue } = await botForTest(slack, redis.url);
  await botForTest(slack, redis.url);
  workerForTest(redis.url, async (request, { progress }) => {
    progress({ requestId: request.id, doing: 'Sampling', probes: [], percent: 50, seconds: 1 });
    return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
  });
  for (const pid of [1, 2, 3, 4]) await slack.user('bob').slash('/diagnose', `web-7 ${pid}`, 'ops');
  await finishedThread(slack, 'ops', 4);
  await quiet(queue);
  expectWhole(slack, 'ops', 4);
});

test('a first message that somebody deletes does not keep the report from the thread', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const log = keptLog();
  await botForTest(slack, redis.url, { log });
  workerForTest(redis.url);
  slack.faults.add({
    kind: 'error',
    method: 'chat.update',
    error: 'message_not_found',
    times: Number.POSITIVE_INFINITY,
  });
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  const messages = await finishedThread(slack, 'ops', 1, /Looking at/);
  expect(messages).toHaveLength(3);
  await until('it is logged', () => log.lines.some((line) => line.message === 'message of the look cannot be edited'));
});

test('files that Slack refuses are said to be missing', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  await botForTest(slack, redis.url);
  workerForTest(redis.url);
  slack.faults.add({
    kind: 'error',
    method: 'files.getUploadURLExternal',
    error: 'missing_scope',
    times: Number.POSITIVE_INFINITY,
  });
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await slack.waitFor(() => slack.messages('ops').some((message) => shown(message).includes('files:write')), {
    timeoutMs: 30_000,
  });
});

test('while the token is taken back answers wait for a new one', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const { queue } = await botForTest(slack, redis.url);
  workerForTest(redis.url, async (request) => {
    const methods = ['chat.update', 'chat.postMessage', 'files.getUploadURLExternal'];
    for (const method of methods) slack.faults.add({ kind: 'error', method, error: 'token_revoked', times: 4 });
    return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
  });
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await finishedThread(slack, 'ops');
  await quiet(queue);
  expectWhole(slack, 'ops');
});

test('an answer for a channel that was archived meanwhile is given up and logged', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const log = keptLog();
  await botForTest(slack, redis.url, { log });
  workerForTest(redis.url, async (request) => {
    for (const method of ['chat.update', 'chat.postMessage', 'files.completeUploadExternal']) {
      slack.faults.add({ kind: 'error', method, error: 'is_archived', times: Number.POSITIVE_INFINITY });
    }
    return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
  });
  onTestFinished(() => slack.faults.clear());
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await expect
    .poll(() => log.lines.map((line) => line.message), { timeout: 30_000 })
    .toContain('answer refused by Slack');
});
