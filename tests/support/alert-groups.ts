import { z } from 'zod';
import { ALERT_ERRAND, type Alert, type Notice } from '../../bot/alerts/notice.ts';
import { type AlertLimits, type AlertRouting, alertRouting } from '../../infra/alert-routes.ts';
import type { BotQueue } from '../../infra/queue/bot-side.ts';
import type { LookHandler } from '../../infra/queue/worker-side.ts';
import type { LocalSlackOptions } from '../../infra/sandbox/slack/options.ts';
import type { Request } from '../../playbooks/model/index.ts';
import { botForTest, reportFor, slackForTest, workerForTest } from './bot.ts';
import { keptLog, redisForTest } from './queue.ts';

/** The channel `alerts` of the local Slack. */
export const ALERTS = 'C0ALERTS1';
export const OPS = 'C0OPS0001';

/** Routing as straceback.yaml gives it; limits that are left out are the program's own. */
export const routing = (
  settings: Omit<Partial<z.input<z.ZodObject<typeof alertRouting>>>, 'limits'> & {
    limits?: Partial<z.input<typeof AlertLimits>>;
  },
): AlertRouting => {
  const { routes, ...rest } = z.object(alertRouting).parse(settings);
  return {
    ...rest,
    defaultChannel: rest.defaultChannel,
    routes: routes.map((route, index) => ({ ...route, at: `straceback.yaml:${index + 1}` })),
  };
};

/** One route for all alerts, which looks at the process that the label `pid` names. */
export const PID_ROUTE = { name: 'web', channel: ALERTS, host: 'web-7', selector: '{pid}' } as const;

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

/** A Slack, a Redis, a bot that routes alerts so and a worker that keeps what it is asked and gives the sick report. */
export const alertSite = async (
  settings: Parameters<typeof routing>[0],
  options: { slack?: LocalSlackOptions; handler?: LookHandler } = {},
) => {
  const slack = await slackForTest(options.slack);
  const redis = await redisForTest();
  const log = keptLog();
  const alerts = routing(settings);
  const { queue, close } = await botForTest(slack, redis.url, { log, alerts });
  const asked: Request[] = [];
  const worker = workerForTest(redis.url, async (request, tools) => {
    asked.push(request);
    return options.handler === undefined
      ? { outcome: { kind: 'report', report: reportFor(request) }, files: [] }
      : await options.handler(request, tools);
  });
  return { slack, redis, queue, close, asked, worker, log, alerts };
};
