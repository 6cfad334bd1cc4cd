import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import {
  alertIntakeForTest,
  alertServerForTest,
  genericAlert,
  intakeSettings,
  post,
  proof,
  SECRET,
  untilErrands,
} from '../../support/alert-intake.ts';
import { keptLog } from '../../support/queue.ts';

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

test('only what is an alert is taken: address, method, type, coding', async () => {
  const { server, queue, errands } = await alertIntakeForTest({ settings: intakeSettings({ generic: undefined }) });
  const { body, headers } = genericAlert();
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
  const { server, queue, errands } = await alertIntakeForTest();
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
  const { server, queue, errands } = await alertIntakeForTest();
  const { body, headers } = genericAlert({
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
  const { server, queue, errands } = await alertIntakeForTest();
  const labels = {
    host: 'web-7; rm -rf / #',
    'a b`$(id)`': '<!channel> <@U1|x> *bold* ```',
    control: '\u0000\u001b]0;x\u0007\r\n\u202e\u2028',
    '{{ .x }}': '%s %n ../../etc/passwd',
  };
  const { body, headers } = genericAlert({ labels, group: '\r\nX-Injected: 1' });
  expect((await post(server.url('generic'), body, headers)).status).toBe(202);
  const [notice] = await untilErrands(queue, errands, 1);
  expect(notice?.labels).toEqual(labels);
  expect(notice?.group).toBe('\r\nX-Injected: 1');
});

test('a sender that dawdles is cut off, others are served meanwhile, and its place is free again', async () => {
  const { server } = await alertIntakeForTest({ limits: { requestMs: 800, inFlight: 2 } });
  const slowHeaders = raw(server.port, ['POST /alerts/generic HTTP/1.1\r\nHost: x\r\n'], false);
  for (const group of ['a', 'b', 'c']) {
    const { body, headers } = genericAlert({ group });
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `POST /alerts/generic HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${lines.join('')}`;
    const slowBody = raw(server.port, [`${head}Content-Length: 500\r\n\r\n{`], false);
    expect((await post(server.url('generic'), body, headers)).status).toBe(202);
    await slowBody;
  }
  expect(await slowHeaders).toMatch(/^HTTP\/1\.1 408 /);
});

test('what is no HTTP, or has huge headers, is answered and cut', async () => {
  const { server } = await alertIntakeForTest();
  expect(await raw(server.port, ['\u0016\u0003\u0001 hello\r\n\r\n'], false)).toMatch(/^HTTP\/1\.1 400 /);
  expect(await raw(server.port, [`POST / HTTP/1.1\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`], false)).toMatch(
    /^HTTP\/1\.1 431 /,
  );
  const smuggled =
    'POST /alerts/generic HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
  expect(await raw(server.port, [smuggled], false)).toMatch(/^HTTP\/1\.1 400 /);
});

test('the log has neither secrets nor what alerts say, and few lines however many are refused', async () => {
  const log = keptLog();
  const { server, queue, errands } = await alertIntakeForTest({ log });
  const { body, headers } = genericAlert({
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

test('a port that is taken is said at start', async () => {
  const { server, queue } = await alertIntakeForTest();
  const settings = { ...intakeSettings({ generic: undefined }), port: server.port };
  await expect(alertServerForTest({ queue, settings })).rejects.toThrow(
    /^Cannot listen for alerts at 127\.0\.0\.1, port \d+: .*EADDRINUSE/,
  );
});
