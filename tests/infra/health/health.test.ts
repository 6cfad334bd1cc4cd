import { get as httpGet, type IncomingHttpHeaders } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { attend } from '../../../infra/health/attend.ts';
import { openParts } from '../../../infra/health/readiness.ts';
import { silentLog } from '../../../infra/log.ts';
import { openMetrics } from '../../../infra/metrics/prometheus.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import { observeQueue } from '../../../infra/queue/observer.ts';
import { botForTest, finishedThread, quiet, slackForTest, workerForTest } from '../../support/bot.ts';
import { keptLog, redisForTest, requestForTest } from '../../support/queue.ts';
import { until } from '../../support/until.ts';

const HEALTH = { port: 0, address: '127.0.0.1' };

const get = async (port: number | null, path: string): Promise<{ status: number; text: string }> => {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: answer.status, text: await answer.text() };
};

/** One figure of the metrics, by its name with labels. */
const figure = (text: string, name: string): number | undefined => {
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
};

describe('health over HTTP', () => {
  test('Redis that goes away and comes back is seen, and said once in the log', async () => {
    const redis = await redisForTest();
    const log = keptLog();
    const around = await attend({ health: HEALTH, redis: redis.url, version: '1', log });
    onTestFinished(() => around.close());
    const queue = openBotQueue({ redisUrl: redis.url, log });
    onTestFinished(() => queue.close());
    around.parts.tell('start', { ok: true, why: 'Up.' });
    around.parts.tell('slack', { ok: false, why: 'Not yet.' });
    expect(await get(around.port, '/healthz')).toEqual({ status: 200, text: 'ok\n' });
    expect((await get(around.port, '/readyz')).status).toBe(503);
    around.parts.tell('slack', { ok: true, why: 'It is there.' });
    await until('ready', async () => (await get(around.port, '/readyz')).status === 200);
    await redis.close();
    await until('not ready', async () => (await get(around.port, '/readyz')).status === 503);
    const { parts } = JSON.parse((await get(around.port, '/readyz')).text);
    expect(parts.redis).toEqual({ ok: false, why: expect.stringContaining(`127.0.0.1:${redis.port}`) });
    expect(parts.redis.why).not.toContain(new URL(redis.url).password);
    expect((await get(around.port, '/healthz')).status).toBe(200);
    expect((await get(around.port, '/metrics')).text).toContain('straceback_looks_total');
    const away = () => log.lines.filter(({ message }) => message.startsWith('Redis cannot be reached'));
    expect(away()).toHaveLength(1);
    await redis.restart();
    await until('ready again', async () => (await get(around.port, '/readyz')).status === 200, 60);
    expect(away()).toHaveLength(1);
    expect(log.lines.some(({ message }) => message === 'Redis is back')).toBe(true);
    expect((await get(around.port, '/other')).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${around.port}/metrics`, { method: 'POST' })).status).toBe(405);
  });

  test('who is sent here by a page of another site is told nothing, and many who ask at once are one', async () => {
    const redis = await redisForTest();
    const around = await attend({ health: HEALTH, redis: redis.url, version: '1', log: silentLog });
    onTestFinished(() => around.close());
    const asHost = (host: string, path: string) =>
      new Promise<{ status: number | undefined; headers: IncomingHttpHeaders }>((resolve, reject) =>
        httpGet({ port: around.port, path, headers: { host } }, (response) => {
          response.resume().on('end', () => resolve({ status: response.statusCode, headers: response.headers }));
        }).on('error', reject),
      );
    for (const host of ['localhost:1', '127.0.0.1', '[::1]:1', 'prometheus'])
      expect((await asHost(host, '/metrics')).status, host).toBe(200);
    for (const path of ['/metrics', '/readyz']) expect((await asHost('rebound.example:80', path)).status).toBe(421);
    const { headers } = await asHost('localhost', '/metrics');
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'cross-origin-resource-policy': 'same-origin',
    });
    let asked = 0;
    let answer: (state: { ok: boolean; why: string }) => void = () => undefined;
    around.parts.ask('counting', () => {
      asked += 1;
      return new Promise((resolve) => {
        answer = resolve;
      });
    });
    const all = Promise.all(Array.from({ length: 20 }, () => asHost('localhost', '/readyz')));
    await until('the part was asked', () => asked > 0);
    answer({ ok: true, why: 'Well.' });
    await all;
    // Who comes later than the answer is another one.
    expect(asked).toBeLessThan(20);
  });

  test('a clock that is off is told with how much', async () => {
    const redis = await redisForTest();
    const log = keptLog();
    const observer = observeQueue(redis.url, log, () => Date.now() + 90_000);
    onTestFinished(() => observer.close());
    const state = await until('the clock was compared', async () => {
      const found = await observer.clockState();
      return found.ok ? null : found;
    });
    expect(state.why).toMatch(/^The clock of this machine is (?:89|90|91) s ahead of that of Redis/);
    expect(log.lines.map(({ message }) => message)).toContain(state.why);
    const right = observeQueue(redis.url, silentLog);
    onTestFinished(() => right.close());
    await until('it is reached', async () => (await right.clockOff()) !== null);
    expect((await right.clockState()).ok).toBe(true);
  });

  test('a part that hangs or breaks is not well, and hides no secret', async () => {
    const parts = openParts();
    parts.ask('hangs', () => new Promise(() => undefined));
    parts.ask('breaks', () => Promise.reject(new Error('no postgres://u:hunter22@db')));
    parts.ask('works', () => ({ ok: true, why: 'Well.' }));
    const { ready, parts: states } = await parts.all();
    expect(ready).toBe(false);
    expect(states.hangs?.ok).toBe(false);
    expect(states.breaks?.why).toContain('[secret]');
    expect(states.works).toEqual({ ok: true, why: 'Well.' });
  });
});

describe('the metrics', () => {
  test('of looks, Slack, the queue and approvals, after a look that was asked for in Slack', async () => {
    const [slack, redis] = await Promise.all([slackForTest(), redisForTest()]);
    const around = await attend({ health: HEALTH, redis: redis.url, version: '1', log: silentLog });
    onTestFinished(() => around.close());
    workerForTest(redis.url);
    const { queue } = await botForTest(slack, redis.url, { counts: around.counts });
    await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
    await finishedThread(slack, 'ops');
    await quiet(queue);
    const { text } = await get(around.port, '/metrics');
    expect(figure(text, 'straceback_slack_calls_total{method="auth.test",code="ok"}')).toBe(1);
    expect(figure(text, 'straceback_slack_calls_total{method="chat.postMessage",code="ok"}')).toBeGreaterThan(1);
    expect(figure(text, 'straceback_queue_messages{queue="looks",state="waiting"}')).toBe(0);
    expect(text).toContain('nodejs_eventloop_lag_p99_seconds');
    expect(text).not.toMatch(/web-7|6325|bob|ops/);
  });

  test('the age of the oldest that waits', async () => {
    const redis = await redisForTest();
    let ahead = 0;
    const observer = observeQueue(redis.url, silentLog, () => Date.now() + ahead);
    onTestFinished(() => observer.close());
    const queue = openBotQueue({ redisUrl: redis.url, log: silentLog });
    onTestFinished(() => queue.close());
    await queue.enqueue(requestForTest());
    await queue.enqueue(requestForTest());
    ahead = 60_000;
    expect((await observer.oldest()).get('looks')).toBeGreaterThanOrEqual(60);
    expect(await observer.depths()).toContainEqual({ queue: 'looks', state: 'waiting', count: 2 });
  });

  test('labels are words of ours, and only so many of them', async () => {
    const { counts, text } = openMetrics('1');
    for (let index = 0; index < 1_000; index += 1) counts.slack(`method.${index}`, 'ok');
    counts.look({ outcome: 'fault', cause: 'busy-loop', seconds: 3, stallMs: 20 });
    counts.look({ outcome: 'web-7 "\n6325', cause: 'x'.repeat(500), seconds: 3, stallMs: null });
    counts.model({ outcome: 'answered', input: 100, output: 20, price: 0.5 });
    counts.alert('grafana', 'taken');
    counts.approval('approved');
    counts.phase(3, 1.5);
    counts.hostConnections(() => 4);
    const said = await text(async () => null);
    expect(said.split('\n').filter((line) => line.startsWith('straceback_slack_calls_total{')).length).toBeLessThan(
      152,
    );
    expect(figure(said, 'straceback_looks_total{outcome="fault",cause="busy-loop"}')).toBe(1);
    expect(figure(said, 'straceback_looks_total{outcome="other",cause="other"}')).toBe(1);
    expect(figure(said, 'straceback_stall_seconds_count')).toBe(1);
    expect(figure(said, 'straceback_model_tokens_total{direction="in"}')).toBe(100);
    expect(figure(said, 'straceback_model_price_dollars_total')).toBe(0.5);
    expect(figure(said, 'straceback_alerts_total{source="grafana",outcome="taken"}')).toBe(1);
    expect(figure(said, 'straceback_approvals_total{outcome="approved"}')).toBe(1);
    expect(figure(said, 'straceback_phase_seconds_count{phase="3"}')).toBe(1);
    expect(figure(said, 'straceback_host_connections')).toBe(4);
    expect(said).not.toContain('6325');
  });
});
