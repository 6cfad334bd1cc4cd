import { expect, test } from 'vitest';
import { botForTest, finishedThread, shown, slackForTest, workerForTest } from '../support/bot.ts';
import { redisForTest } from '../support/queue.ts';

test('a command opens a thread that ends with the report and its files', async () => {
  const [slack, redis] = [await slackForTest(), await redisForTest()];
  await botForTest(slack, redis.url);
  workerForTest(redis.url);
  const result = await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  expect(result.ack.acked).toBe(true);
  const thread = await finishedThread(slack, 'ops');
  const [first, ...replies] = thread;
  expect(shown(first)).toContain('🔴 Main thread waits in its own SIGTERM handler');
  expect(shown(first)).toContain('sure (97 %)');
  const report = replies.find((message) => message.files === undefined);
  expect(shown(report)).toContain('[E4:12]   File "/srv/app/pool.py", line 88, in on_terminate');
  expect(shown(report)).toContain('def on_terminate(signum, frame):\n    stopping.set()');
  const names = slack.files().map((file) => file.name);
  expect(names).toEqual(['report.txt', 'report.json', 'E1-identify.txt']);
  const evidence = slack.files().find((file) => file.name === 'E1-identify.txt');
  expect(slack.fileBytes(evidence?.id ?? '')?.toString()).toBe('pid 6325\n');
  expect(result.responses).toEqual([]);
});
