import { expect } from 'vitest';
import { ALERT_ERRAND, type Alert, type Notice } from '../../bot/alerts/notice.ts';
import type { BotQueue } from '../../infra/queue/bot-side.ts';
import type { LookHandler } from '../../infra/queue/worker-side.ts';
import type { LocalSlackOptions } from '../../infra/sandbox/slack/options.ts';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import type { Request } from '../../playbooks/model/index.ts';
import { ALERTS, routing } from './alert-routing.ts';
import { botForTest, quiet, reportFor, shown, slackForTest, threadsIn, workerForTest } from './bot.ts';
import { keptLog, redisForTest } from './queue.ts';

let last = 0;
/** News of one alert, each newer than the one before unless `at` says otherwise. */
export const notice = (change: Partial<Notice> & { alert?: Partial<Alert> } = {}): Notice => {
  const { alert, ...rest } = change;
  last += 1;
  const at = rest.at ?? Date.now() - 600_000 + last * 1_000;
  const status = rest.status ?? 'firing';
  const labels = rest.labels ?? { alertname: 'HighCpu', service: 'checkout', pid: '6325' };
  return {
    source: 'alertmanager',
    group: 'web/checkout',
    status,
    severity: 'critical',
    title: 'CPU of checkout is high',
    labels,
    alerts: [
      {
        fingerprint: 'f1',
        status,
        labels,
        annotations: {},
        startsAt: null,
        endsAt: null,
        ...alert,
      },
    ],
    more: 0,
    url: 'https://alerts.example/graph?g0.expr=up&g0.tab=1',
    ...rest,
    at,
  };
};

let told = 0;
/** Puts a notice into the queue as the intake does. */
export const tell = async (queue: BotQueue, data: Notice, id?: string): Promise<void> => {
  told += 1;
  await queue.accept({ kind: 'errand', id: id ?? `alert-test-${told}`, errand: ALERT_ERRAND, data, at: data.at });
};

export { ALERTS, OPS, PID_ROUTE, routing } from './alert-routing.ts';

/** A Slack, a Redis, a bot that routes alerts so and a worker that keeps what it is asked and gives the sick report. */
export const alertSite = async (
  settings: Parameters<typeof routing>[0],
  options: { slack?: LocalSlackOptions; handler?: LookHandler; language?: 'en' | 'zh' } = {},
) => {
  const slack = await slackForTest(options.slack);
  const redis = await redisForTest();
  const log = keptLog();
  const alerts = routing(settings);
  const { queue, close } = await botForTest(slack, redis.url, { log, alerts, language: options.language ?? 'reader' });
  const asked: Request[] = [];
  const worker = workerForTest(redis.url, async (request, tools) => {
    asked.push(request);
    return options.handler === undefined
      ? { outcome: { kind: 'report', report: reportFor(request) }, files: [] }
      : await options.handler(request, tools);
  });
  return { slack, redis, queue, close, asked, worker, log, alerts };
};

/** One thread for the group: first message, the look's own message, report, files or buttons each once, one reply for firing again. */
export const expectWhole = (slack: LocalSlack, refired = 0) => {
  const threads = threadsIn(slack, ALERTS);
  expect(threads).toHaveLength(1);
  const replies = slack.thread(ALERTS, threads[0]?.ts ?? '').slice(1);
  const with_ = (words: string) => replies.filter((message) => shown(message).includes(words));
  expect(with_('An alert asked.')).toHaveLength(1);
  expect(with_('The look is done')).toHaveLength(1);
  expect(with_('fires again')).toHaveLength(refired);
  expect(new Set(replies.map(({ ts }) => ts)).size).toBe(replies.length);
  expect(replies.filter(({ files }) => files !== undefined).length).toBeLessThanOrEqual(1);
};

/** An alert that fires, is over, and fires again. */
export const course = async (queue: BotQueue) => {
  await tell(queue, notice());
  await quiet(queue);
  await tell(queue, notice({ status: 'resolved' }));
  await tell(queue, notice());
  await quiet(queue);
};
