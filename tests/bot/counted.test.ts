import { expect, test } from 'vitest';
import { openMetrics } from '../../infra/metrics/prometheus.ts';
import { proseAfterwards } from '../../workers/prose/afterwards.ts';
import {
  alertFixtures,
  alertPayload,
  alertServerForTest,
  collectingQueue,
  PROOFS,
  post,
  proof,
} from '../support/alert-intake.ts';
import { botForTest, quiet, reportFor, shown, slackForTest, threadsIn, workerForTest } from '../support/bot.ts';
import { modelServerForTest } from '../support/model-server.ts';
import { redisForTest } from '../support/queue.ts';

/** The figures of the metrics whose names begin so. */
const figures = async (metrics: ReturnType<typeof openMetrics>, start: string): Promise<Record<string, number>> =>
  Object.fromEntries(
    (await metrics.text(async () => null))
      .split('\n')
      .filter((line) => line.startsWith(`straceback_${start}`))
      .map((line) => [line.slice('straceback_'.length, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  );

test('requests to the model are counted, those without an answer too, with tokens and price', async () => {
  const metrics = openMetrics('1');
  let answers = 0;
  const [slack, redis, server] = await Promise.all([
    slackForTest(),
    redisForTest(),
    modelServerForTest(() => {
      answers += 1;
      return { kind: 'text', text: 'no JSON at all' };
    }),
  ]);
  const afterwards = proseAfterwards(
    {
      name: 'stand-in',
      apiKey: server.apiKey,
      baseUrl: server.baseUrl,
      timeoutSeconds: 20,
      maxOutputTokens: 900,
      language: 'reader',
      budget: { perLook: 20_000, perDay: 100_000, perChannelPerDay: 100_000 },
      price: { input: 1, output: 10 },
    },
    { counts: metrics.counts },
  );
  workerForTest(redis.url, async (request) => {
    const report = reportFor(request);
    const later = afterwards(request, report);
    return { outcome: { kind: 'report', report }, files: [], ...(later === undefined ? {} : { afterwards: later }) };
  });
  const { queue } = await botForTest(slack, redis.url);
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await slack.waitFor(() => threadsIn(slack, 'ops').some((message) => /no JSON/.test(shown(message))), {
    timeoutMs: 60_000,
    what: 'the note that there is no summary',
  });
  await quiet(queue);
  expect(answers).toBe(1);
  expect(await figures(metrics, 'model_requests')).toEqual({ 'model_requests_total{outcome="failed"}': 1 });
  const tokens = await figures(metrics, 'model_tokens');
  expect(tokens['model_tokens_total{direction="in"}']).toBeGreaterThan(0);
  const price = (await figures(metrics, 'model_price')).model_price_dollars_total;
  expect(price).toBeCloseTo(
    (tokens['model_tokens_total{direction="in"}'] ?? 0) / 1e6 +
      (tokens['model_tokens_total{direction="out"}'] ?? 0) / 1e5,
    9,
  );
});

test('what needs a yes is counted, and what Slack refuses by its code', async () => {
  const metrics = openMetrics('1');
  const [slack, redis] = await Promise.all([slackForTest(), redisForTest()]);
  await botForTest(slack, redis.url, {
    counts: metrics.counts,
    policy: { allow: ['none'], rules: [{ people: ['U0NOBODY1'], allow: [], approve: ['stops', 'writes-disk'] }] },
  });
  await slack.user('bob').slash('/diagnose', 'web-7 6325 gcore', 'ops');
  await slack.waitFor(() => threadsIn(slack, 'ops').length > 0, { timeoutMs: 60_000, what: 'the question' });
  await expect
    .poll(async () => Object.keys(await figures(metrics, 'approvals')), { timeout: 60_000 })
    .toEqual(['approvals_total{outcome="asked"}']);
  slack.faults.add({ kind: 'error', method: 'views.publish', error: 'not_enabled' });
  slack.faults.add({ kind: '429', method: 'chat.postMessage', retryAfter: 1 });
  await slack.user('bob').slash('/diagnose', 'web-8 77', 'ops');
  await slack.waitFor(() => threadsIn(slack, 'ops').some((message) => shown(message).includes('77')), {
    timeoutMs: 60_000,
    what: 'the second thread',
  });
  const calls = await figures(metrics, 'slack_calls');
  expect(calls['slack_calls_total{method="chat.postMessage",code="ratelimited"}']).toBe(1);
  expect(calls['slack_calls_total{method="chat.postMessage",code="ok"}']).toBeGreaterThan(0);
});

test('requests of alert sources are counted by what they were answered', async () => {
  const metrics = openMetrics('1');
  const redis = await redisForTest();
  const { queue } = collectingQueue(redis.url);
  const server = await alertServerForTest({ queue, counts: metrics.counts });
  const body = JSON.stringify(alertPayload('grafana', [...alertFixtures('grafana').keys()][0] ?? ''));
  const [way = ''] = Object.keys(PROOFS.grafana ?? {});
  expect((await post(server.url('grafana'), body, proof('grafana', way, body))).status).toBeLessThan(300);
  expect((await post(server.url('grafana'), body, {})).status).toBeGreaterThanOrEqual(400);
  expect((await post(server.url('web-7'), body, {})).status).toBe(404);
  expect(await figures(metrics, 'alerts')).toEqual({
    'alerts_total{source="grafana",outcome="taken"}': 1,
    'alerts_total{source="grafana",outcome="not-proven"}': 1,
    'alerts_total{source="unknown",outcome="refused"}': 1,
  });
});
