import { expect, test } from 'vitest';
import type { LocalSlack } from '../../../infra/sandbox/slack/server.ts';
import { ALERTS, notice, PID_ROUTE, routing, tell } from '../../support/alert-groups.ts';
import { botForTest, quiet, reportFor, shown, slackForTest, threadsIn, workerForTest } from '../../support/bot.ts';
import { redisForTest } from '../../support/queue.ts';

const first = (slack: LocalSlack, index = 0) => threadsIn(slack, ALERTS)[index];
const replies = (slack: LocalSlack, index = 0) => slack.thread(ALERTS, first(slack, index)?.ts ?? '').slice(1);

test('an alert opens a thread with its look, and its end makes the first message green', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const { queue } = await botForTest(slack, redis.url, { alerts: routing({ routes: [PID_ROUTE] }) });
  const asked: unknown[] = [];
  workerForTest(redis.url, async (request) => {
    asked.push(request);
    return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
  });
  const begin = Date.now() - 3_600_000;
  await tell(queue, notice({ alert: { startsAt: begin } }));
  await quiet(queue);
  expect(asked).toMatchObject([
    { host: 'web-7', pid: 6325, playbook: 'triage', allow: ['none', 'slows'], origin: { via: 'alert' } },
  ]);
  const opened = first(slack);
  expect(shown(opened)).toContain('🔴 CPU of checkout is high');
  expect(shown(opened)).toContain('Main thread waits in its own SIGTERM handler');
  expect(shown(opened)).toContain('service=checkout');
  const said = replies(slack).map(shown).join('\n');
  expect(said).toContain('An alert asked.');
  expect(said).toContain('The look is done');
  expect(JSON.stringify(slack.messages(ALERTS))).not.toContain('"user_id"');
  await tell(queue, notice({ status: 'resolved', alert: { startsAt: begin, endsAt: begin + 720_000 } }));
  await quiet(queue);
  expect(threadsIn(slack, ALERTS)).toHaveLength(1);
  expect(shown(first(slack))).toContain('🟢 CPU of checkout is high');
  expect(shown(first(slack))).toContain('after 12 min');
  expect(asked).toHaveLength(1);
});
