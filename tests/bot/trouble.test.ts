import { expect, onTestFinished, test } from 'vitest';
import type { FaultKind } from '../../infra/sandbox/slack/faults.ts';
import { botForTest, finishedThread, quiet, shown, slackForTest, threadsIn, workerForTest } from '../support/bot.ts';
import { keptLog, redisForTest } from '../support/queue.ts';
import { reported, reportedWithEvidence, siteForTest } from '../support/site.ts';
import { until } from '../support/until.ts';
import { expectWhole } from './trouble.parts.ts';

const WITH_EVIDENCE = { look: reportedWithEvidence };

const POSTS = ['chat.postMessage', 'files.completeUploadExternal'] as const;
const REPEATABLE = ['chat.update', 'users.info', 'files.getUploadURLExternal', 'upload'] as const;

test.each<FaultKind>(['429', '500', 'drop', 'after-effect-500', 'after-effect-drop'])(
  'with one %s for every post, each is made exactly once',
  async (kind) => {
    const { slack, queue } = await siteForTest(WITH_EVIDENCE);
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
    const { slack, queue } = await siteForTest({ ...WITH_EVIDENCE, timeoutMs: 3_000 });
    slack.faults.add({ kind, method: 'chat.postMessage', match: (args) => args.thread_ts !== undefined });
    await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
    await finishedThread(slack, 'ops');
    await quiet(queue);
    expectWhole(slack, 'ops');
  },
);

test.each<FaultKind>(['429', '500', 'drop'])('with %s for all that may be repeated, it is repeated', async (kind) => {
  const { slack, queue } = await siteForTest(WITH_EVIDENCE);
  for (const method of REPEATABLE) slack.faults.add({ kind, method, retryAfter: 1 });
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await finishedThread(slack, 'ops');
  await quiet(queue);
  expectWhole(slack, 'ops');
});

test('a channel that Slack slows down holds up no other', async () => {
  const { slack, queue } = await siteForTest(WITH_EVIDENCE);
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
  const { slack, queue } = await siteForTest({
    ...WITH_EVIDENCE,
    workspace: { rateLimits: { postsPerSecond: 4, postBurst: 4, tiers: true } },
  });
  const pids = Array.from({ length: 8 }, (_, index) => 100 + index);
  await Promise.all(pids.map((pid) => slack.user('bob').slash('/diagnose', `web-7 ${pid}`, 'ops')));
  await finishedThread(slack, 'ops', pids.length);
  await quiet(queue);
  expectWhole(slack, 'ops', pids.length);
  const titles = threadsIn(slack, 'ops').map(shown).join('\n');
  for (const pid of pids) expect(titles).toContain(`Process ${pid} on web-7`);
});

test('dropped sockets are opened again, and commands arrive', async () => {
  const { slack, queue } = await siteForTest(WITH_EVIDENCE);
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

test('a first message that somebody deletes does not keep the report from the thread', async () => {
  const log = keptLog();
  const { slack } = await siteForTest({ ...WITH_EVIDENCE, log });
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
  const { slack } = await siteForTest(WITH_EVIDENCE);
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
  workerForTest(redis.url, async (request, tools) => {
    const methods = ['chat.update', 'chat.postMessage', 'files.getUploadURLExternal'];
    for (const method of methods) slack.faults.add({ kind: 'error', method, error: 'token_revoked', times: 4 });
    return await reported(request, tools);
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
  workerForTest(redis.url, async (request, tools) => {
    for (const method of ['chat.update', 'chat.postMessage', 'files.completeUploadExternal']) {
      slack.faults.add({ kind: 'error', method, error: 'is_archived', times: Number.POSITIVE_INFINITY });
    }
    return await reported(request, tools);
  });
  onTestFinished(() => slack.faults.clear());
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await expect
    .poll(() => log.lines.map((line) => line.message), { timeout: 30_000 })
    .toContain('answer refused by Slack');
});
