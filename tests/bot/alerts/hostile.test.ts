import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../infra/log.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import { QueueUnavailable } from '../../../infra/queue/connection.ts';
import {
  alertPayload,
  alertServerForTest,
  collectingQueue,
  intakeSettings,
  post,
  proof,
  SECRET,
  untilErrands,
} from '../../support/alert-intake.ts';
import { arrival, keptLog, redisForTest } from '../../support/queue.ts';

const MEBIBYTE = 1024 * 1024;

/** Sends bytes on a bare connection and gives all that comes back until it ends. */
const raw = async (port: number, pieces: readonly (string | Uint8Array)[], end = true): Promise<string> => {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => undefined);
  await once(socket, 'connect');
  for (const piece of pieces) socket.write(piece);
  if (end) socket.end();
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks).toString('latin1');
};

const generic = (change: object = {}) => {
  const body = JSON.stringify({ ...alertPayload('generic', 'firing'), ...change });
  return { body, headers: proof('generic', 'hmac', body) };
};

const served = async (options: Partial<Parameters<typeof alertServerForTest>[0]> = {}) => {
  const redis = await redisForTest();
  const { queue, errands } = collectingQueue(redis.url);
  return { redis, queue, errands, server: await alertServerForTest({ queue, ...options }) };
};

test('only what is an alert is taken: address, method, type, coding', async () => {
  const { server, queue, errands } = await served({ settings: intakeSettings({ generic: undefined }) });
  const { body, headers } = generic();
  const url = server.url('generic');
  const ask = async (method: string, to: string, more: Record<string, string> = {}, content?: string) => {
    const response = await fetch(to, {
      method,
      headers: { ...headers, ...more },
      ...(content === undefined ? {} : { body: content }),
    });
    return { status: response.status, allow: response.headers.get('allow'), text: await response.text() };
  };
  const json = { 'content-type': 'application/json' };
  for (const to of [
    server.url('grafana'),
    server.url('nagios'),
    server.url('__proto__'),
    `${url}/x`,
    new URL('/', url).href,
  ]) {
    const answer = await ask('POST', to, json, body);
    expect(answer.status, to).toBe(404);
    expect(JSON.parse(answer.text)).toEqual({ ok: false, error: expect.stringContaining('/alerts/SOURCE') });
  }
  for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS']) {
    expect(await ask(method, url), method).toMatchObject({ status: 405, allow: 'POST' });
  }
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/json; charset=utf-16',
    'application/jsonp',
  ]) {
    expect((await ask('POST', url, { 'content-type': type }, body)).status, type).toBe(415);
  }
  const packed = await fetch(url, {
    method: 'POST',
    headers: { ...headers, ...json, 'content-encoding': 'gzip' },
    body: gzipSync(Buffer.alloc(50 * MEBIBYTE)),
  });
  expect(packed.status).toBe(415);
  expect(
    (await ask('POST', `${url}/?team=a`, { 'content-type': 'Application/JSON; charset="UTF-8"' }, body)).status,
  ).toBe(202);
  await untilErrands(queue, errands, 1);
});

test('ten megabytes are refused with a sentence, announced or not, and held nowhere', async () => {
  const { server, queue, errands } = await served();
  const large = Buffer.alloc(10 * MEBIBYTE, 'x');
  const headers = proof('generic', 'hmac', large);
  const announced = await post(server.url('generic'), large, headers);
  expect(announced).toMatchObject({ status: 413, body: { error: 'The body is larger than 1 MiB.' } });
  const unannounced = new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
    const request = httpRequest(
      server.url('generic'),
      { method: 'POST', headers: { 'content-type': 'application/json', ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() }));
      },
    );
    request.on('error', reject);
    request.flushHeaders();
    for (let sent = 0; sent < large.length; sent += MEBIBYTE) request.write(large.subarray(sent, sent + MEBIBYTE));
    request.end();
  });
  await expect(unannounced).resolves.toMatchObject({ status: 413 });
  const expecting = await raw(server.port, [
    `POST /alerts/generic HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: ${large.length}\r\n\r\n`,
  ]);
  expect(expecting).toMatch(/^HTTP\/1\.1 413 /);
  expect(expecting).not.toContain('100 Continue');
  await untilErrands(queue, errands, 0);
});

test('a body of one mebibyte less a little is taken, and what it says is bounded', async () => {
  const { server, queue, errands } = await served();
  const { body, headers } = generic({
    title: 't'.repeat(9_000),
    labels: Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`label${index}`, 'v'.repeat(1_000)])),
  });
  expect(body.length).toBeGreaterThan(0.85 * MEBIBYTE);
  expect((await post(server.url('generic'), body, headers)).status).toBe(202);
  const [notice] = await untilErrands(queue, errands, 1);
  expect(JSON.stringify(notice).length).toBeLessThan(60_000);
  expect(notice?.title).toMatch(/\(cut, 9,000 characters in all\)$/);
  expect(notice?.labels['…']).toMatch(/^\d+ more were left out$/);
});

test('labels with commands and control characters arrive as the text that they are', async () => {
  const { server, queue, errands } = await served();
  const labels = {
    host: 'web-7; rm -rf / #',
    'a b`$(id)`': '<!channel> <@U1|x> *bold* ```',
    control: '\u0000\u001b]0;x\u0007\r\n\u202e\u2028',
    '{{ .x }}': '%s %n ../../etc/passwd',
  };
  const { body, headers } = generic({ labels, group: '\r\nX-Injected: 1' });
  expect((await post(server.url('generic'), body, headers)).status).toBe(202);
  const [notice] = await untilErrands(queue, errands, 1);
  expect(notice?.labels).toEqual(labels);
  expect(notice?.group).toBe('\r\nX-Injected: 1');
});

test('a sender that dawdles is cut off, others are served meanwhile, and its place is free again', async () => {
  const { server } = await served({ limits: { requestMs: 800, inFlight: 2 } });
  const slowHeaders = raw(server.port, ['POST /alerts/generic HTTP/1.1\r\nHost: x\r\n'], false);
  for (const group of ['a', 'b', 'c']) {
    const { body, headers } = generic({ group });
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `POST /alerts/generic HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${lines.join('')}`;
    const slowBody = raw(server.port, [`${head}Content-Length: 500\r\n\r\n{`], false);
    expect((await post(server.url('generic'), body, headers)).status).toBe(202);
    await slowBody;
  }
  expect(await slowHeaders).toMatch(/^HTTP\/1\.1 408 /);
});

test('what is no HTTP, or has huge headers, is answered and cut', async () => {
  const { server } = await served();
  expect(await raw(server.port, ['\u0016\u0003\u0001 hello\r\n\r\n'], false)).toMatch(/^HTTP\/1\.1 400 /);
  expect(await raw(server.port, [`POST / HTTP/1.1\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`], false)).toMatch(
    /^HTTP\/1\.1 431 /,
  );
  const smuggled =
    'POST /alerts/generic HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
  expect(await raw(server.port, [smuggled], false)).toMatch(/^HTTP\/1\.1 400 /);
});

test('more at once than it takes are told to come again, and nothing of them is held', async () => {
  const redis = await redisForTest();
  const { queue, errands } = collectingQueue(redis.url);
  const gate = arrival<void>();
  const held: string[] = [];
  const slow = {
    pending: queue.pending,
    notes: queue.notes,
    accept: async (...args: Parameters<typeof queue.accept>) => {
      held.push(args[0].id);
      await gate.promise;
      return queue.accept(...args);
    },
  };
  const server = await alertServerForTest({ queue: slow, limits: { inFlight: 5, queueMs: 60_000 } });
  const sending = Array.from({ length: 5 }, (_, index) => {
    const { body, headers } = generic({ group: `g${index}` });
    return post(server.url('generic'), body, headers);
  });
  await expect.poll(() => held.length).toBe(5);
  for (let index = 0; index < 50; index++) {
    const { body, headers } = generic({ group: `more${index}` });
    const answer = await post(server.url('generic'), body, headers);
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('2');
  }
  gate.arrive();
  for (const { status } of await Promise.all(sending)) expect(status).toBe(202);
  const { body, headers } = generic({ group: 'more0' });
  expect((await post(server.url('generic'), body, headers)).status).toBe(202);
  await untilErrands(queue, errands, 6);
});

test('bodies that together are more than there is room for are refused, and the room is given back', async () => {
  const { server, queue, errands } = await served({ limits: { bytes: 300_000 } });
  const part = (size: number) => generic({ annotations: { text: 'x'.repeat(size) }, group: `g${size}` });
  const big = part(400_000);
  expect((await post(server.url('generic'), big.body, big.headers)).status).toBe(503);
  for (let index = 0; index < 10; index++) {
    const { body, headers } = part(200_000 + index);
    expect((await post(server.url('generic'), body, headers)).status).toBe(202);
  }
  await untilErrands(queue, errands, 10);
});

test('a queue that has its fill takes no more until it has been worked on', async () => {
  const redis = await redisForTest();
  // Nobody works on it.
  const queue = openBotQueue({ redisUrl: redis.url, log: silentLog });
  onTestFinished(() => queue.close());
  const server = await alertServerForTest({ queue, limits: { backlog: 3 } });
  const send = async (group: string) => {
    const { body, headers } = generic({ group });
    return post(server.url('generic'), body, headers);
  };
  for (const group of ['a', 'b', 'c']) expect((await send(group)).status).toBe(202);
  await expect.poll(async () => (await send('d')).headers.get('retry-after'), { timeout: 10_000 }).toBe('30');
  expect((await queue.pending()).intake).toBeGreaterThanOrEqual(3);
});

test('without Redis it says so within a second, and takes the same alert once when Redis is back', async () => {
  const { redis, server, queue, errands } = await served();
  const { body, headers } = generic();
  expect(
    (await post(server.url('generic'), generic({ group: 'before' }).body, generic({ group: 'before' }).headers)).status,
  ).toBe(202);
  await redis.close();
  const answers = await Promise.all(Array.from({ length: 20 }, () => post(server.url('generic'), body, headers)));
  for (const answer of answers) {
    expect(answer).toMatchObject({ status: 503, body: { error: 'The queue does not take it now; send it again.' } });
    expect(answer.headers.get('retry-after')).toBe('5');
  }
  await redis.restart();
  await expect
    .poll(async () => (await post(server.url('generic'), body, headers)).status, { timeout: 30_000, interval: 200 })
    .toBe(202);
  await untilErrands(queue, errands, 2);
});

test('a queue that hangs is given up in time', async () => {
  const { queue } = await served();
  const hanging = {
    pending: () => new Promise<never>(() => undefined),
    notes: { ...queue.notes, claim: () => new Promise<never>(() => undefined) },
    accept: queue.accept,
  };
  const server = await alertServerForTest({ queue: hanging, limits: { queueMs: 50 } });
  const { body, headers } = generic();
  expect((await post(server.url('generic'), body, headers)).status).toBe(503);
});

test('when it dies between remembering and queueing, the next delivery is queued', async () => {
  const { queue, errands } = await served();
  let failing = true;
  const server = await alertServerForTest({
    queue: {
      pending: queue.pending,
      notes: queue.notes,
      accept: (...args) => (failing ? Promise.reject(new QueueUnavailable()) : queue.accept(...args)),
    },
  });
  const { body, headers } = generic();
  expect((await post(server.url('generic'), body, headers)).status).toBe(503);
  failing = false;
  expect((await post(server.url('generic'), body, headers)).body.message).toBe('Queued.');
  expect((await post(server.url('generic'), body, headers)).body.message).toBe('Taken before.');
  await untilErrands(queue, errands, 1);
});

test('the log has neither secrets nor what alerts say, and few lines however many are refused', async () => {
  const log = keptLog();
  const { server, queue, errands } = await served({ log });
  const { body, headers } = generic({
    group: 'group\n\u001b[31m',
    title: 'PRIVATE-TITLE',
    labels: { PRIVATELABEL: 'PRIVATE' },
  });
  expect((await post(server.url('generic'), body, headers)).status).toBe(202);
  for (let index = 0; index < 100; index++) {
    await post(server.url('generic'), `{"PRIVATE${index}": 1}`, proof('generic', 'hmac', `{"PRIVATE${index}": 1}`));
    await post(server.url('alertmanager'), '{}', { authorization: 'Bearer PRIVATE-TOKEN' });
  }
  await untilErrands(queue, errands, 1);
  const text = JSON.stringify(log.lines);
  expect(text).not.toMatch(/PRIVATE/);
  expect(text).not.toContain(SECRET);
  expect(log.lines.find(({ message }) => message === 'alert taken')?.fields).toEqual({
    source: 'generic',
    group: 'group\\x0a\\x1b[31m',
  });
  expect(log.lines.filter(({ message }) => message === 'alert refused')).toHaveLength(2);
});

test('closing lets what was taken end and refuses the rest', async () => {
  const redis = await redisForTest();
  const { queue, errands } = collectingQueue(redis.url);
  const gate = arrival<void>();
  const begun = arrival<void>();
  const server = await alertServerForTest({
    queue: {
      pending: queue.pending,
      notes: queue.notes,
      accept: async (...args) => {
        begun.arrive();
        await gate.promise;
        return queue.accept(...args);
      },
    },
    limits: { queueMs: 60_000 },
  });
  const { body, headers } = generic();
  const sending = post(server.url('generic'), body, headers);
  await begun.promise;
  const closed = server.close();
  await expect(fetch(server.url('generic'), { method: 'POST' })).rejects.toThrow();
  gate.arrive();
  const answer = await sending;
  expect(answer.status).toBe(202);
  expect(answer.headers.get('connection')).toBe('close');
  await closed;
  await untilErrands(queue, errands, 1);
});

test('a port that is taken is said at start', async () => {
  const { server, queue } = await served();
  const settings = { ...intakeSettings({ generic: undefined }), port: server.port };
  await expect(alertServerForTest({ queue, settings })).rejects.toThrow(
    /^Cannot listen for alerts at 127\.0\.0\.1, port \d+: .*EADDRINUSE/,
  );
});
