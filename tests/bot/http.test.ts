import { expect, test } from 'vitest';
import { BotNotStarted } from '../../bot/not-started.ts';
import { freePort } from '../../infra/sandbox/sshd.ts';
import { botForTest, finishedThread, shown, slackForTest, threadsIn, workerForTest } from '../support/bot.ts';
import { redisForTest } from '../support/queue.ts';

test('over HTTP commands and mentions arrive, and only with Slack’s signature', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const port = await freePort();
  await botForTest(slack, redis.url, { http: port });
  workerForTest(redis.url);
  const url = `http://127.0.0.1:${port}/slack/events`;
  await slack.useRequestUrl(url);
  const { ack } = await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  expect(ack.acked).toBe(true);
  await finishedThread(slack, 'ops');
  const ts = threadsIn(slack, 'ops')[0]?.ts ?? '';
  slack.user('bob').say('@straceback help', { channel: 'ops', threadTs: ts });
  await slack.waitFor(() => slack.thread('ops', ts).some((message) => shown(message).includes('Mention me')), {
    timeoutMs: 30_000,
  });

  const body = new URLSearchParams({ command: '/diagnose', text: 'web-7 1', team_id: slack.world.team.id });
  const now = String(Math.floor(Date.now() / 1000));
  const forged: Record<string, string>[] = [
    {},
    { 'x-slack-request-timestamp': now, 'x-slack-signature': `v0=${'0'.repeat(64)}` },
  ];
  for (const headers of forged) {
    const answer = await fetch(url, { method: 'POST', body, headers });
    expect(answer.status).toBe(401);
  }
  expect(threadsIn(slack, 'ops')).toHaveLength(1);
});

test('a port that is taken is said at start', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const port = Number(new URL(slack.apiUrl).port);
  const starting = botForTest(slack, redis.url, { http: port });
  await expect(starting).rejects.toBeInstanceOf(BotNotStarted);
  await expect(starting).rejects.toThrow(`port ${port}`);
});

test.each([
  ['botToken', 'SLACK_BOT_TOKEN'],
  ['appToken', 'SLACK_APP_TOKEN'],
] as const)('a wrong %s is said at start', async (which, name) => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const wrong = { ...slack, [which]: 'xoxb-wrong' };
  await expect(botForTest(wrong, redis.url)).rejects.toThrow(name);
  await expect(botForTest({ ...slack, [which]: '' }, redis.url)).rejects.toThrow(`${name} is not set`);
});
