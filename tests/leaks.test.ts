import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import pg from 'pg';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import type { LocalSlack } from '../infra/sandbox/slack/server.ts';
import { post, proof } from './support/alert-intake.ts';
import { finishedThread, shown, slackForTest, threadsIn } from './support/bot.ts';
import { asAdmin, postgresForFile, urlOf } from './support/history.ts';
import { endProcesses, startProcess } from './support/live-process.ts';
import { modelServerForTest } from './support/model-server.ts';
import { canPostgres } from './support/postgres.ts';
import { redisForTest } from './support/queue.ts';

afterEach(endProcesses);

const ROOT = path.resolve(import.meta.dirname, '..');

/** Where each secret is planted. They are of the kinds that people really leave there. */
const PLANTED = {
  environment: 'env-Zq7Lw2Kx9Vb4',
  argument: 'argv-Hh3Tn8Rc5Yd1',
  'address in an argument': 'argvurl-Pk6Mm2Gf7Js',
  'header that is sent': 'sent-Ab4Cx9Wq3Et8Uy',
  'JSON that is sent': 'json-Vv5Nn1Lo0Xz7',
  'AWS key that is sent': 'AKIAQ7MZ4WX2N5TR6JKB',
  'line of the log': 'logged-Bb8Dd4Ss6Aa2',
  'address in the log': 'logurl-Tt9Ff3Gg1Hh5',
  'line of source': 'source-Kk2Pp7Oo4Ii6',
  'local variable': 'local-Mm1Jj8Uu3Yy9',
  'label of an alert': 'label-Ww5Ee0Rr2Tt7',
  'annotation of an alert': 'note-Cc6Xx3Zz9Qq1',
  'address of an alert': 'alerturl-Nn4Bb7Vv2Ll',
} as const;

/** A service that spins in one thread, and in another sends requests that it also logs. */
const SERVICE = `
import logging, os, socket, sys, threading
logging.basicConfig(filename=sys.argv[1], level=logging.INFO)
def settle(orders, password='${PLANTED['local variable']}'):
    api_key = '${PLANTED['line of source']}'
    done = 0
    while orders:
        done = done + 1
        done = done - 1
def report(server, wait):
    client = socket.create_connection(server.getsockname())
    other = server.accept()[0]
    while True:
        client.sendall(b'POST /charge HTTP/1.1\\r\\nAuthorization: Bearer ${PLANTED['header that is sent']}\\r\\n\\r\\n')
        client.sendall(b'{"amount": 3, "password": "${PLANTED['JSON that is sent']}"} key=${PLANTED['AWS key that is sent']}')
        other.recv(1000)
        logging.error('payment refused, api_key=${PLANTED['line of the log']} at https://u:${PLANTED['address in the log']}@pay.example.com/')
        wait.wait(0.05)
threading.Thread(target=report, args=(socket.create_server(('127.0.0.1', 0)), threading.Event()), daemon=True).start()
threading.Thread(target=settle, args=([1],), name='settle', daemon=True).start()
print('ready', flush=True)
sys.stdin.read()
`;

const freePort = async (): Promise<number> => {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
};

/** Collects all that is sent to it as text. */
const collectorForTest = async (): Promise<{ url: string; bodies: string[] }> => {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      bodies.push(Buffer.concat(pieces).toString('utf8'));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies };
};

/** All bytes of the files in a folder. */
const bytesIn = (folder: string): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(path.join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');

/** All that is in a database, compressed bytes as what they are. */
const databaseText = async (url: string): Promise<string> => {
  const client = new pg.Client(url);
  await client.connect();
  const tables = await client.query<{ name: string }>(
    "select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')",
  );
  const texts: string[] = [];
  for (const { name } of tables.rows) {
    for (const row of (await client.query<Record<string, unknown>>(`select * from ${name}`)).rows) {
      for (const value of Object.values(row)) {
        texts.push(Buffer.isBuffer(value) ? gunzipSync(value).toString('utf8') : JSON.stringify(value));
      }
    }
  }
  await client.end();
  return texts.join('\n');
};

const slackText = (slack: LocalSlack): string =>
  slack.world.channels.map(({ name }) => JSON.stringify(slack.messages(name))).join('\n') +
  slack.world.users.map(({ name }) => JSON.stringify([slack.ephemerals(name), slack.home(name)])).join('\n');

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
    const program = spawn(
      process.execPath,
      [
        '--import',
        path.join(ROOT, 'tests/support/typescript-loader.mjs'),
        path.join(ROOT, 'straceback.ts'),
        'up',
        '--config',
        file,
      ],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...process.env,
          SLACK_BOT_TOKEN: slack.botToken,
          SLACK_APP_TOKEN: slack.appToken,
          SLACK_API_URL: slack.apiUrl,
          REDIS_URL: redis.url,
          DATABASE_URL: database,
          OPENAI_API_KEY: model.apiKey,
          OPENAI_BASE_URL: model.baseUrl,
          ALERT_SECRET: 'alerts-are-signed-with-this',
        },
      },
    );
    let log = '';
    for (const stream of [program.stdout, program.stderr]) {
      stream.on('data', (piece: Buffer) => {
        log += piece.toString();
      });
    }
    const ended = once(program, 'close');
    onTestFinished(async () => {
      if (program.exitCode === null) program.kill('SIGTERM');
      await ended;
    });
    await expect.poll(() => log, { timeout: 60_000 }).toContain('straceback is up');

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
    program.kill('SIGTERM');
    await ended;
    const places = {
      Slack: slackText(slack),
      'files in Slack': slack
        .files()
        .map(({ id }) => Buffer.from(slack.fileBytes(id) ?? []).toString('latin1'))
        .join('\n'),
      Redis: bytesIn(redis.folder),
      database: await databaseText(database),
      model: JSON.stringify(model.requests),
      log,
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
