import { expect, test } from 'vitest';
import { LookFailed, type Request } from '../../playbooks/model/index.ts';
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
import { messageWithButton, pressButton } from '../support/buttons.ts';
import { redisForTest } from '../support/queue.ts';
import { sickReport } from '../support/reports.ts';

const SENTENCE =
  'Process 6325 on web-7 has gone: the kernel killed it at 2024-05-01 12:01:00 UTC. In its place runs process 7001, of `pool.service`.';

test('a target that has gone: what is known of its end, and a button for what runs in its place', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const { queue } = await botForTest(slack, redis.url);
  const asked: Request[] = [];
  workerForTest(redis.url, async (request) => {
    asked.push(request);
    if (asked.length === 2)
      throw new LookFailed('no-such-process', SENTENCE, undefined, { pid: 7001, startTime: '999999' });
    const report = reportFor(request);
    const target = { ...report.target, unit: 'pool.service', ports: [8080] };
    return {
      outcome: { kind: 'report', report: { ...report, target } },
      files: [{ name: 'E1.txt', evidenceId: 'E1', content: Buffer.from('x'), truncated: false }],
    };
  });
  const bob = slack.user('bob');
  await bob.slash('/diagnose', 'web-7 6325 triage 4s', 'ops');
  await finishedThread(slack, 'ops');
  const ts = threadsIn(slack, 'ops')[0]?.ts ?? '';
  bob.say('again', { channel: 'ops', threadTs: ts });
  const told = await messageWithButton(slack, 'ops', ts, 'Look at pid 7001 instead');
  expect(shown(told)).toContain('has gone: the kernel killed it at 2024-05-01 12:01:00 UTC');
  const { startTime, command } = sickReport.target;
  expect(asked[1]).toMatchObject({ pid: 6325, startTime, was: { command, unit: 'pool.service', ports: [8080] } });
  await pressButton(slack, 'bob', told, 'Look at pid 7001 instead');
  await expect.poll(() => asked.length, { timeout: 60_000 }).toBe(3);
  await quiet(queue);
  expect(asked[2]).toMatchObject({
    host: 'web-7',
    pid: 7001,
    startTime: '999999',
    playbook: 'triage',
    windowSeconds: 4,
  });
  expect(asked[2]?.was).toBeUndefined();
  const all = slack.thread('ops', ts).map(shown);
  expect(all.filter((text) => text.includes('the kernel killed it at') && !text.startsWith('⚪'))).toHaveLength(1);
  expect(all.some((text) => text.includes('Process 7001'))).toBe(true);
});
