import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { startBot } from '../../../bot/bot.ts';
import { openSurroundings } from '../../../infra/attend.ts';
import { readConfig } from '../../../infra/config.ts';
import { silentLog } from '../../../infra/log.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import { tracingFrom } from '../../../infra/tracing/settings.ts';
import { loadKnowledge } from '../../../workers/knowledge.ts';
import { startWorker } from '../../../workers/worker.ts';
import { finishedThread, HOSTS, PLAYBOOKS, quiet, slackForTest } from '../../support/bot.ts';
import { endProcesses, startProcess } from '../../support/live-process.ts';
import { redisForTest } from '../../support/queue.ts';
import { until } from '../../support/until.ts';

afterEach(endProcesses);

const Value = z.looseObject({ stringValue: z.string().optional() });
const Span = z.looseObject({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  attributes: z.array(z.object({ key: z.string(), value: Value })).default([]),
});
type Span = z.infer<typeof Span>;
const Sent = z.object({
  resourceSpans: z.array(z.looseObject({ scopeSpans: z.array(z.looseObject({ spans: z.array(Span) })) })),
});

/** A collector of this test's own: all spans that came, and all that was sent as text. */
const collectorForTest = async () => {
  const spans: Span[] = [];
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const body = Buffer.concat(pieces).toString('utf8');
      bodies.push(body);
      const sent = Sent.parse(JSON.parse(body));
      spans.push(...sent.resourceSpans.flatMap((each) => each.scopeSpans.flatMap((scope) => scope.spans)));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}`, spans, bodies };
};

const attribute = (span: Span, key: string) => span.attributes.find((each) => each.key === key)?.value.stringValue;

test('one trace from the command in Slack over the queue to each step and the answer, without a word of the process', async () => {
  const collector = await collectorForTest();
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-tracing-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'straceback.yaml');
  await writeFile(
    file,
    `hosts:\n  - {name: local, transport: local}\ndataFolder: data\ntracing: {endpoint: "${collector.url}"}\n`,
  );
  const config = readConfig(file, {});
  const [slack, redis, knowledge] = await Promise.all([slackForTest(), redisForTest(), loadKnowledge()]);
  const { trace, telemetry, close } = await openSurroundings(config, redis.url, silentLog);
  const worker = startWorker({ config, redisUrl: redis.url, knowledge, log: silentLog, trace, telemetry });
  const queue = openBotQueue({ redisUrl: redis.url, log: silentLog, telemetry });
  const bot = await startBot({
    slack: {
      mode: 'socket',
      botToken: slack.botToken,
      appToken: slack.appToken,
      signingSecret: undefined,
      port: 0,
      apiUrl: slack.apiUrl,
    },
    queue,
    hosts: HOSTS,
    playbooks: PLAYBOOKS,
    policy: { allow: ['none', 'slows'] },
    log: silentLog,
    trace,
  });
  const closeAll = async () => {
    await bot.close();
    await queue.close();
    await worker.close();
    await close();
  };
  onTestFinished(closeAll);
  const { pid } = await startProcess('/usr/bin/python3', [
    '-c',
    'import sys; print("ready"); sys.stdin.read()',
    '--password=hunter22',
  ]);
  await slack.user('bob').slash('/diagnose', `local ${pid} triage 1`, 'ops');
  await finishedThread(slack, 'ops', 1, /^(?:🔴|🟢|🟡|🔵|⚪)/u);
  await quiet(queue);
  const spans = await until('the answer’s span came', () => {
    const answer = collector.spans.find(({ name }) => name === 'answer');
    return answer === undefined ? null : collector.spans;
  });
  const look = await until('the look’s span came', () => spans.find(({ name }) => name === 'look') ?? null);
  const id = attribute(look, 'straceback.request');
  expect(id).toBeTruthy();

  await until('the command’s span came', () => collector.spans.find(({ name }) => name === 'slack command') ?? null);
  const ofTrace = collector.spans.filter(({ traceId }) => traceId === look.traceId);
  const known = new Set(ofTrace.map(({ spanId }) => spanId));
  const roots = ofTrace.filter(({ parentSpanId }) => parentSpanId === undefined || parentSpanId === '');
  expect(roots.map(({ name }) => name)).toEqual(['slack command']);
  expect(
    ofTrace.filter(({ parentSpanId }) => parentSpanId && !known.has(parentSpanId)).map(({ name }) => name),
  ).toEqual([]);

  const names = new Set(ofTrace.map(({ name }) => name));
  for (const name of [
    'opening',
    'look',
    'step',
    'answer',
    'slack chat.postMessage',
    'process looks',
    'process answers',
  ])
    expect(names).toContain(name);
  const steps = ofTrace.filter(({ name }) => name === 'step');
  expect(steps.map((step) => attribute(step, 'straceback.probe'))).toContain('identify');
  expect(new Set(steps.map((step) => attribute(step, 'straceback.request')))).toEqual(new Set([id]));
  expect(ofTrace.filter(({ name }) => name === 'answer').map((span) => attribute(span, 'straceback.request'))).toEqual([
    id,
  ]);

  const all = collector.bodies.join('\n');
  expect(all).not.toMatch(/hunter22|sys\.stdin|python3|bob|xoxb|xapp/);
  expect(all).not.toContain(new URL(redis.url).password);
});

test('traces are on only when somebody says where they go', () => {
  expect(tracingFrom(undefined, {})).toBeUndefined();
  expect(tracingFrom(undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: '' })).toBeUndefined();
  expect(tracingFrom(undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318' })).toEqual({
    endpoint: undefined,
    percent: 100,
  });
  expect(tracingFrom({ endpoint: 'http://c', percent: 5 }, { OTEL_SDK_DISABLED: 'true' })).toBeUndefined();
});
