import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import { freePort } from '../infra/sandbox/sshd.ts';
import { bytesIn, collectorForTest, databaseText, PLANTED, SERVICE, slackText } from './leaks.parts.ts';
import { post, proof } from './support/alert-intake.ts';
import { finishedThread, shown, slackForTest, threadsIn } from './support/bot.ts';
import { asAdmin, postgresForFile, urlOf } from './support/history.ts';
import { endProcesses, startProcess } from './support/live-process.ts';
import { modelServerForTest } from './support/model-server.ts';
import { canPostgres } from './support/postgres.ts';
import { redisForTest } from './support/queue.ts';
import { upForTest } from './support/up.ts';

afterEach(endProcesses);

test.skipIf(!canPostgres())(
  'no secret of a process, a host or an alert reaches Slack, Redis, the database, the model, logs, metrics or traces',
  async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'straceback-leaks-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const [slack, redis, collector, postgres] = await Promise.all([
      slackForTest(),
      redisForTest(),
      collectorForTest(),
      postgresForFile(),
    ]);
    await asAdmin(postgres, 'postgres', 'create database leaks');
    const database = urlOf(postgres, 'leaks');
    const model = await modelServerForTest(({ input }) => ({ kind: 'text', text: input.slice(0, 2_000) }));
    const [alerts, health] = [await freePort(), await freePort()];
    const file = path.join(folder, 'straceback.yaml');
    writeFileSync(
      file,
      stringify({
        hosts: [{ name: 'local', transport: 'local' }],
        dataFolder: path.join(folder, 'data'),
        policy: { allow: ['none', 'slows', 'stops'] },
        model: { name: 'stand-in' },
        tracing: { endpoint: collector.url, percent: 100 },
        health: { port: health },
        alerts: {
          port: alerts,
          sources: { generic: { secrets: 'ALERT_SECRET' } },
          defaultChannel: slack.world.channels[0]?.id,
        },
        log: { level: 'debug' },
      }),
    );
    const program = await upForTest(file, {
      SLACK_BOT_TOKEN: slack.botToken,
      SLACK_APP_TOKEN: slack.appToken,
      SLACK_API_URL: slack.apiUrl,
      REDIS_URL: redis.url,
      DATABASE_URL: database,
      OPENAI_API_KEY: model.apiKey,
      OPENAI_BASE_URL: model.baseUrl,
      ALERT_SECRET: 'alerts-are-signed-with-this',
    });

    const shop = path.join(folder, 'shop.py');
    const shopLog = path.join(folder, 'shop.log');
    writeFileSync(shop, SERVICE);
    const { pid, line } = await startProcess(
      '/usr/bin/python3',
      [
        '-u',
        shop,
        shopLog,
        '--password',
        PLANTED.argument,
        `--db=postgres://app:${PLANTED['address in an argument']}@db/app`,
      ],
      { env: { ...process.env, DB_PASSWORD: PLANTED.environment } },
    );
    await line(/^ready/);

    await slack.user('bob').slash('/diagnose', `local ${pid}`, 'ops');
    await finishedThread(slack, 'ops');
    const ts = threadsIn(slack, 'ops')[0]?.ts ?? '';
    const thread = () => slack.thread('ops', ts);
    const say = (words: string) => slack.user('alice').say(`@straceback ${words}`, { channel: 'ops', threadTs: ts });
    const untilFiles = async (words: string) => {
      const files = () => thread().flatMap((message) => message.files ?? []).length;
      const before = files();
      say(words);
      await slack.waitFor(() => files() > before, { timeoutMs: 60_000, what: `the files of ${words}` });
    };
    await untilFiles('strace 2');
    await untilFiles('log payment');
    await untilFiles('locals settle');
    await untilFiles('py-bt');
    await untilFiles('lsof');
    const asked = model.requests.length;
    say('why is the thread settle busy?');
    await expect.poll(() => model.requests.length, { timeout: 60_000 }).toBeGreaterThan(asked);

    const body = JSON.stringify({
      group: 'shop',
      status: 'firing',
      title: 'shop is slow',
      labels: { host: 'local', db_password: PLANTED['label of an alert'], service: 'shop-of-the-alert' },
      annotations: { note: `curl -H "Authorization: Bearer ${PLANTED['annotation of an alert']}"` },
      url: `https://ops:${PLANTED['address of an alert']}@alerts.example.com/1`,
    });
    const url = `http://127.0.0.1:${alerts}/alerts/generic`;
    const taken = await post(url, body, proof('generic', 'hmac', body, 'alerts-are-signed-with-this', Date.now()));
    expect(taken.status).toBe(202);
    await slack.waitFor(
      () => threadsIn(slack, slack.world.channels[0]?.name ?? '').some((each) => shown(each).includes('shop is slow')),
      {
        timeoutMs: 60_000,
        what: 'the thread of the alert',
      },
    );

    const metrics = await (await fetch(`http://127.0.0.1:${health}/metrics`)).text();
    // What history is still to write is written before the program ends, traces are sent.
    await program.end();
    const places = {
      Slack: slackText(slack),
      'files in Slack': slack
        .files()
        .map(({ id }) => Buffer.from(slack.fileBytes(id) ?? []).toString('latin1'))
        .join('\n'),
      Redis: bytesIn(redis.folder),
      database: await databaseText(database),
      model: JSON.stringify(model.requests),
      log: program.log(),
      metrics,
      traces: collector.bodies.join('\n'),
      'files of the program': bytesIn(path.join(folder, 'data')),
    };
    // Each of them was looked at in the right place: what is no secret is there.
    expect(places.Slack).toContain('settle');
    expect(places.Slack).toContain('shop is slow');
    expect(places['files in Slack']).toContain('Authorization: Bearer [redacted-');
    expect(places['files in Slack']).toContain('payment refused, api_key=[redacted-');
    expect(places.Redis).toContain('shop.py');
    expect(places.Redis).toContain('shop-of-the-alert');
    expect(places.database).toContain('shop.py');
    expect(places.database).toContain('Authorization: Bearer [redacted-');
    expect(places.model).toContain('settle');
    expect(places.log).toContain('look done');
    expect(places.metrics).toContain('straceback_looks_total');
    expect(places.traces).toContain('resourceSpans');
    expect(places['files of the program']).toContain('look-ended');
    const leaks = Object.entries(places).flatMap(([place, text]) =>
      Object.entries(PLANTED).flatMap(([what, secret]) =>
        text.includes(secret)
          ? [
              `the ${what} is in ${place}: ${JSON.stringify(text.slice(Math.max(0, text.indexOf(secret) - 80), text.indexOf(secret)))}`,
            ]
          : [],
      ),
    );
    expect(leaks).toEqual([]);
  },
  300_000,
);
