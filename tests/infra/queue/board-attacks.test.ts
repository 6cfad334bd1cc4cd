import { once } from 'node:events';
import { connect } from 'node:net';
import { Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readConfig } from '../../../infra/config.ts';
import { silentLog } from '../../../infra/log.ts';
import { startBoard } from '../../../infra/queue/board.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import { browserForFile, hasBrowser } from '../../support/browser.ts';
import { keptLog, redisForTest, requestForTest } from '../../support/queue.ts';

const USER = 'straceback';
const PASSWORD = 'correct horse battery';
const browser = browserForFile();

const basic = (password: string, user = USER): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/** The board on a Redis in which a look waits. */
const boardForTest = async () => {
  const redis = await redisForTest();
  const queue = openBotQueue({ redisUrl: redis.url, log: silentLog });
  onTestFinished(() => queue.close());
  const request = requestForTest();
  await queue.enqueue(request);
  const log = keptLog();
  const settings = { port: 0, address: '127.0.0.1', user: USER, password: PASSWORD };
  const board = await startBoard(settings, redis.url, log);
  onTestFinished(() => board.close());
  return {
    redis,
    queue,
    request,
    log,
    port: board.port,
    at: (path: string) => `http://127.0.0.1:${board.port}${path}`,
  };
};

/** What a server says to these very bytes, until it ends the connection. */
const raw = async (port: number, bytes: string): Promise<string> => {
  const socket = connect(port, '127.0.0.1');
  let said = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    said += text;
  });
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  socket.write(bytes);
  await closed;
  return said;
};

const asked = (path: string, more: readonly string[] = [], method = 'GET'): string =>
  [
    `${method} ${path} HTTP/1.1`,
    'Host: board',
    `Authorization: ${basic(PASSWORD)}`,
    'Connection: close',
    ...more,
    '',
    '',
  ].join('\r\n');

describe('the board, to who should not be there', () => {
  test('each answer forbids to keep, frame and guess; the question for a password is always the same', async () => {
    const { at } = await boardForTest();
    const known = { authorization: basic(PASSWORD) };
    const answers = await Promise.all([
      fetch(at('/')),
      fetch(at('/'), { headers: known }),
      fetch(at('/api/queues'), { headers: known }),
      fetch(at('/static/none.js'), { headers: known }),
      fetch(at('/api/queues/looks/pause'), { headers: known, method: 'PUT' }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([401, 200, 200, 404, 405]);
    for (const { headers } of answers) {
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(headers.get('x-powered-by')).toBeNull();
      expect(headers.get('access-control-allow-origin')).toBeNull();
    }
    const realms = await Promise.all(
      ['/', '/api/queues', '/no/such', '/%2e%2e/'].map(async (path) =>
        (await fetch(at(path))).headers.get('www-authenticate'),
      ),
    );
    expect(new Set(realms)).toEqual(new Set(['Basic realm="Straceback", charset="UTF-8"']));
  });

  test('paths in disguise, other methods and what is too long reach nothing, and no answer tells where files are', async () => {
    const { port, queue, request } = await boardForTest();
    for (const path of [
      '//api/queues',
      '/api//queues',
      '/static/../../package.json',
      '/static/%2e%2e/%2e%2e/package.json',
      '/static/..%2f..%2fpackage.json',
      '/static/..%5c..%5cpackage.json',
      '/static/%00',
      '/static/%E0%A4%A',
      '/api/queues/looks/%E0%A4%A',
      'http://elsewhere/api/queues',
    ]) {
      const said = await raw(port, asked(path));
      expect(said, path).toMatch(/^HTTP\/1\.1 404 /);
      expect(said, path).not.toMatch(/node_modules|\.js:\d+|"name"/);
    }
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'])
      for (const more of [['Content-Length: 0'], ['X-HTTP-Method-Override: GET', 'Content-Length: 1000000000']])
        expect(await raw(port, asked(`/api/queues/looks/look-${request.id}/clean`, more, method))).toMatch(
          /^HTTP\/1\.1 405 /,
        );
    expect(await raw(port, asked(`/api/queues/looks/look-${request.id}/flow`))).toContain('"isFlowNode":false');
    // A form of another site, sent by the browser of somebody who knows the password.
    const form = ['Origin: http://elsewhere', 'Content-Type: text/plain', 'Content-Length: 2'];
    expect(await raw(port, `${asked('/api/queues/looks/add', form, 'POST')}{}`)).toMatch(/^HTTP\/1\.1 405 /);
    expect(await raw(port, asked('/', [`X: ${'x'.repeat(20_000)}`]))).toMatch(/^HTTP\/1\.1 431 /);
    // Whoever does not say to the end what is wanted is not waited for.
    expect(await raw(port, 'GET / HTTP/1.1\r\nHost: board\r\nX-Slow: ')).toMatch(/^HTTP\/1\.1 408 /);
    expect((await queue.status()).waiting).toBe(1);
  });

  test('who guesses is not listened to any more, and the log says so once', async () => {
    const { at, log } = await boardForTest();
    const say = async (password: string | null): Promise<number> =>
      (await fetch(at('/api/queues'), password === null ? {} : { headers: { authorization: basic(password) } })).status;
    // Asking without a password is how a browser begins.
    for (let index = 0; index < 15; index += 1) expect(await say(null)).toBe(401);
    expect(await say(PASSWORD)).toBe(200);
    for (let index = 0; index < 10; index += 1) expect(await say(`guess ${index}`)).toBe(401);
    const refused = await fetch(at('/api/queues'), { headers: { authorization: basic(PASSWORD) } });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(log.lines.filter(({ message }) => message.startsWith('somebody tries passwords'))).toHaveLength(1);
    expect(JSON.stringify(log.lines)).not.toMatch(/guess|correct horse/);
  });

  test.skipIf(!hasBrowser)(
    'a person sees a job of it in a browser without what it says, and asks no other site',
    async () => {
      const { redis, request, port } = await boardForTest();
      const admin = new Redis(redis.url);
      onTestFinished(() => admin.disconnect());
      const found = await admin.keys(`*look-${request.id}`);
      expect(found).toHaveLength(1);
      // What a job carries that failed: whatever an error said.
      await admin.hset(
        found[0] ?? '',
        'failedReason',
        'password=hunter22',
        'stacktrace',
        '["at hunter22"]',
        'returnvalue',
        '"hunter22"',
      );
      const page = await browser.open(`http://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/`);
      const wanted: string[] = [];
      page.on('request', (each) => wanted.push(new URL(each.url()).host));
      await page.goto(`http://127.0.0.1:${port}/queue/looks/look-${request.id}`);
      await page.getByText(request.id).first().waitFor();
      expect(await page.content()).not.toContain('hunter22');
      expect(new Set(wanted)).toEqual(new Set([`127.0.0.1:${port}`]));
    },
  );
});

test('a password that anybody guesses, or that nobody can type, is refused with a sentence', () => {
  const file = new URL('../../fixtures/config/board.yaml', import.meta.url).pathname;
  const said = (password: string): string => {
    try {
      readConfig(file, { STRACEBACK_BOARD_PASSWORD: password });
      return '';
    } catch (error) {
      return error instanceof Error ? error.message : '';
    }
  };
  expect(said('')).toContain('is not set or shorter than 12 characters; set a better one');
  expect(said('aaaaaaaabbbbbbbb')).toContain('has fewer than 5 different characters');
  expect(said('long enough for this\n')).toContain('the end of a line in a file?');
  expect(said('straceback-1')).toContain('is little more than the name of the user');
  expect(said(PASSWORD)).toBe('');
});
