import { createHmac } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { z } from 'zod';
import type { Notice } from '../../bot/alerts/notice.ts';
import { type AlertServer, type AlertServerOptions, startAlertServer } from '../../bot/alerts/server.ts';
import { loadAlertSources } from '../../bot/registry.ts';
import type { AlertIntakeSettings } from '../../infra/alert-intake.ts';
import { silentLog } from '../../infra/log.ts';
import type { BotQueue } from '../../infra/queue/bot-side.ts';
import type { Errand } from '../../infra/queue/messages.ts';
import { botQueueForTest, redisForTest } from './queue.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/alerts/', import.meta.url));

/** `tests/fixtures/alerts/SOURCE/NAME.json`: a payload, after which description, and the notices that it is. */
export const AlertFixture = z.strictObject({
  how: z.string().min(20),
  payload: z.record(z.string(), z.unknown()),
  expect: z.array(z.record(z.string(), z.unknown())),
});
export type AlertFixture = z.infer<typeof AlertFixture>;

/** All fixtures of a source by name; none when it has no folder. */
export const alertFixtures = (source: string): ReadonlyMap<string, AlertFixture> => {
  try {
    const files = readdirSync(`${FIXTURES}${source}`).sort();
    return new Map(
      files.map((file) => [
        file.replace(/\.json$/, ''),
        AlertFixture.parse(JSON.parse(readFileSync(`${FIXTURES}${source}/${file}`, 'utf8'))),
      ]),
    );
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Map();
    throw error;
  }
};

/** The payload of a fixture. */
export const alertPayload = (source: string, name: string): Record<string, unknown> => {
  const fixture = alertFixtures(source).get(name);
  if (fixture === undefined) throw new Error(`no fixture ${source}/${name}`);
  return structuredClone(fixture.payload);
};

/** The clock of these tests stands here, shortly after the events of the fixtures. */
export const NOW = Date.parse('2026-11-21T10:31:00Z');
export const SECRET = 'the-first-secret-0123456789';
export const OLD_SECRET = 'the-secret-before-0123456789';

const hex = (secret: string, text: string | Uint8Array) => createHmac('sha256', secret).update(text).digest('hex');

/** The headers by which each source proves itself, each way, as its documentation says. */
export const PROOFS: Readonly<
  Record<
    string,
    Readonly<Record<string, (body: string | Uint8Array, secret: string, at: number) => Record<string, string>>>
  >
> = {
  alertmanager: {
    bearer: (_body, secret) => ({ authorization: `Bearer ${secret}` }),
    basic: (_body, secret) => ({ authorization: `Basic ${Buffer.from(`straceback:${secret}`).toString('base64')}` }),
  },
  grafana: {
    bearer: (_body, secret) => ({ authorization: `Bearer ${secret}` }),
    basic: (_body, secret) => ({ authorization: `Basic ${Buffer.from(`straceback:${secret}`).toString('base64')}` }),
    hmac: (body, secret, at) => ({
      'x-grafana-alerting-timestamp': `${Math.floor(at / 1000)}`,
      'x-grafana-alerting-signature': hex(
        secret,
        Buffer.concat([Buffer.from(`${Math.floor(at / 1000)}:`), Buffer.from(body)]),
      ),
    }),
  },
  pagerduty: { hmac: (body, secret) => ({ 'x-pagerduty-signature': `v1=${hex(secret, body)}` }) },
  datadog: {
    header: (_body, secret) => ({ 'x-straceback-token': secret }),
    basic: (_body, secret) => ({ authorization: `Basic ${Buffer.from(`straceback:${secret}`).toString('base64')}` }),
  },
  sentry: {
    hmac: (body, secret, at) => ({
      'sentry-hook-resource': 'event_alert',
      'sentry-hook-timestamp': `${Math.floor(at / 1000)}`,
      'sentry-hook-signature': hex(secret, body),
    }),
  },
  generic: {
    hmac: (body, secret, at) => ({
      'x-straceback-timestamp': `${Math.floor(at / 1000)}`,
      'x-straceback-signature': `v1=${hex(secret, Buffer.concat([Buffer.from(`${Math.floor(at / 1000)}.`), Buffer.from(body)]))}`,
    }),
  },
};

/** Settings with these sources, each in this way (the first of its ways when undefined). */
export const intakeSettings = (
  sources: Readonly<Record<string, string | undefined>>,
  secrets: readonly string[] = [SECRET],
): AlertIntakeSettings => ({
  port: 0,
  host: '127.0.0.1',
  sources: new Map(
    Object.entries(sources).map(([name, auth]) => [
      name,
      {
        auth,
        user: auth === 'basic' ? 'straceback' : undefined,
        secrets: secrets.map((value, index) => ({ name: `SECRET_${index}`, value })),
        at: 'straceback.yaml:1',
      },
    ]),
  ),
});

/** All sources, each in the first of its ways. */
export const ALL_SOURCES: Readonly<Record<string, undefined>> = Object.fromEntries(
  Object.keys(PROOFS).map((source) => [source, undefined]),
);

/** The bot's side of a queue whose errands are kept here; ended after the test. */
export const collectingQueue = (redisUrl: string): { queue: BotQueue; errands: Errand[] } => {
  const queue = botQueueForTest(redisUrl);
  const errands: Errand[] = [];
  queue.onIntake(async (intake) => {
    if (intake.kind === 'errand') errands.push(intake);
  });
  return { queue, errands };
};

/** The real server for alerts, ended after the test (before its queue when that was opened first). */
export const alertServerForTest = async (
  options: Partial<AlertServerOptions> & Pick<AlertServerOptions, 'queue'>,
): Promise<AlertServer & { url: (source: string) => string }> => {
  const server = await startAlertServer({
    settings: intakeSettings(ALL_SOURCES),
    sources: await loadAlertSources(),
    log: silentLog,
    now: () => NOW,
    ...options,
  });
  onTestFinished(() => server.close());
  return { ...server, url: (source) => `http://127.0.0.1:${server.port}/alerts/${source}` };
};

/** A Redis, the bot's side of its queue and the server for alerts before it; all end after the test. */
export const alertIntakeForTest = async (options: Partial<AlertServerOptions> = {}) => {
  const redis = await redisForTest();
  const { queue, errands } = collectingQueue(redis.url);
  // What is sent first is not refused because the machine is slow.
  await expect.poll(() => queue.healthy(), { timeout: 60_000 }).toBe(true);
  const server = await alertServerForTest({ queue, ...options, limits: { queueMs: 15_000, ...options.limits } });
  return { redis, queue, errands, server, url: server.url };
};

/** The body of a firing alert of a generic sender with this changed, and the headers that prove it. */
export const genericAlert = (change: object = {}): { body: string; headers: Record<string, string> } => {
  const body = JSON.stringify({ ...alertPayload('generic', 'firing'), ...change });
  return { body, headers: proof('generic', 'hmac', body) };
};

export interface Sent {
  readonly status: number;
  readonly body: { ok: boolean; message?: string; error?: string };
  readonly headers: Headers;
}

/** Sends bytes as a source would, with these headers beside the content's type. */
export const post = async (
  url: string,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<Sent> => {
  const response = await fetch(url, {
    method: 'POST',
    body: Buffer.from(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
  const answer = z
    .object({ ok: z.boolean(), message: z.string().optional(), error: z.string().optional() })
    .parse(await response.json());
  return { status: response.status, body: answer, headers: response.headers };
};

/** The proof of a source in one way. */
export const proof = (source: string, way: string, body: string | Uint8Array, secret = SECRET, at = NOW) => {
  const make = PROOFS[source]?.[way];
  if (make === undefined) throw new Error(`no way ${way} of ${source}`);
  return make(body, secret, at);
};

/** Waits until so many errands have come, and that no more are on their way. */
export const untilErrands = async (queue: BotQueue, errands: readonly Errand[], count: number): Promise<Notice[]> => {
  await expect.poll(() => errands.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(count);
  await expect.poll(async () => (await queue.pending()).intake, { timeout: 30_000 }).toBe(0);
  expect(errands).toHaveLength(count);
  return errands.map(({ data }) => data as unknown as Notice);
};
