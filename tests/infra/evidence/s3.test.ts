import { randomBytes } from 'node:crypto';
import dns from 'node:dns';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { EvidenceUnavailable, newName, type S3Place } from '../../../infra/evidence/far-store.ts';
import { openS3, type S3Options } from '../../../infra/evidence/s3.ts';
import { authority, certificate } from '../../support/certificates.ts';
import { keptLog } from '../../support/queue.ts';
import { type S3Fault, type S3Server, type S3ServerOptions, s3ForTest } from '../../support/s3-server.ts';

const storeOn = (server: S3Server, change: Partial<S3Place> = {}, options: Partial<S3Options> = {}) => {
  const place = {
    bucket: server.bucket,
    region: server.region,
    endpoint: server.endpoint,
    prefix: 'straceback/',
    forcePathStyle: true,
    ca: undefined,
    keys: server.key,
    ...change,
  };
  const log = keptLog();
  const counted: string[] = [];
  const store = openS3(place, {
    log,
    pauseMs: [0, 0],
    count: (operation, outcome) => counted.push(`${operation} ${outcome}`),
    ...options,
  });
  onTestFinished(store.close);
  return { store, log, counted };
};

const open = async (options: S3ServerOptions = {}, change: Partial<S3Place> = {}, more: Partial<S3Options> = {}) => {
  const server = await s3ForTest(options);
  return { server, ...storeOn(server, change, more) };
};

/** The sentence of what a call throws. */
const whyOf = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(EvidenceUnavailable);
  return error instanceof Error ? error.message : '';
};

const name = newName(Date.parse('2026-03-04T05:06:07Z'));

test('puts, gets, lists and deletes, and each request is signed as another signer would', async () => {
  const { server, store, counted } = await open();
  expect(store.state().why).toContain('It has not been used yet.');
  const bytes = randomBytes(300_000);
  await store.put(name, bytes);
  expect(server.objects.get(`straceback/${name}`)).toMatchObject({ type: 'application/octet-stream' });
  expect(Buffer.from((await store.get(name, bytes.length)) ?? []).equals(bytes)).toBe(true);
  expect((await store.list('')).objects.map((each) => each.name)).toEqual([name]);
  await store.remove(name);
  await store.remove(name);
  expect(await store.get(name, 10)).toBeNull();
  expect((await store.list('')).objects).toEqual([]);
  expect(counted).toEqual(['put', 'get', 'list', 'delete', 'delete', 'get', 'list'].map((each) => `${each} done`));
  expect(store.state()).toEqual({
    ok: true,
    why: `Evidence is kept in the bucket evidence at localhost:${server.port}.`,
  });
});

test('the bucket is in the name of the host where the site wants that', async () => {
  const { server, store } = await open({}, { forcePathStyle: false });
  const lookup = vi.spyOn(dns, 'lookup');
  onTestFinished(() => lookup.mockRestore());
  // Not every resolver knows the names below localhost.
  lookup.mockImplementation(((_host: string, options: { all?: boolean }, done: (...found: unknown[]) => void) =>
    options.all === true ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4)) as never);
  await store.put(name, Buffer.from('one'));
  expect(server.requests.map(({ style, key }) => [style, key])).toEqual([['host', `straceback/${name}`]]);
  expect(server.objects.size).toBe(1);
});

test('a token of a session goes with the keys', async () => {
  const keys = { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'a-secret-for-an-hour', sessionToken: 'a-token' };
  const { server, store } = await open({ key: keys });
  await store.put(name, Buffer.from('one'));
  expect(server.objects.size).toBe(1);
  const without = storeOn(server, { keys: { ...keys, sessionToken: undefined as never } });
  expect(await whyOf(without.store.put(name, Buffer.from('two')))).toContain('the token of AWS_SESSION_TOKEN');
});

test('whatever else is in the bucket is neither listed nor touched', async () => {
  const { server, store } = await open();
  const other = { bytes: Buffer.from('other'), type: '', at: 1 };
  for (const key of ['straceback/readme.txt', `other/${name}`, `straceback/sub/${name}`, `strace${name}`])
    server.objects.set(key, other);
  await store.put(name, Buffer.from('one'));
  expect((await store.list('')).objects.map((each) => each.name)).toEqual([name]);
  for (const bad of ['', '../x', 'readme.txt', `sub/${name}`, `${name}/`, `${name}\n`])
    expect(() => store.remove(bad)).toThrow('not a name of ours');
  expect(server.objects.size).toBe(5);
});

test('a long list comes in pages, in the order of age', async () => {
  const { server, store } = await open();
  const names = Array.from({ length: 2_300 }, (_each, index) => newName(Date.UTC(2026, 1, 1, index)));
  for (const each of names) server.objects.set(`straceback/${each}`, { bytes: Buffer.alloc(0), type: '', at: 1 });
  const seen: string[] = [];
  for (let after: string | null = ''; after !== null; ) {
    const { objects, last } = await store.list(after);
    seen.push(...objects.map((each) => each.name));
    after = last;
  }
  expect(seen).toEqual(names);
});

const refuse = (status: number, code: string): S3Fault => ({ kind: 'refuse', status, code });

test.each<[string, S3Fault]>([
  ['it is asked for too much', refuse(503, 'SlowDown')],
  ['an error of its own', refuse(500, 'InternalError')],
  ['a gateway before it', { kind: 'body', status: 502, body: Buffer.from('<html>Bad gateway') }],
  ['the connection ends', { kind: 'reset' }],
])('%s, twice: it is tried again, and nobody notices', async (_what, fault) => {
  const { server, store } = await open();
  server.fault = (_request, nth) => (nth <= 2 ? fault : null);
  await store.put(name, Buffer.from('one'));
  expect(server.objects.size).toBe(1);
  expect(server.requests).toHaveLength(3);
});

test('an object that is cut off in its middle is asked for again, three times at most', async () => {
  const { server, store } = await open();
  await store.put(name, Buffer.from('all of it'));
  server.fault = (_request, nth) => (nth <= 3 ? { kind: 'cut' } : null);
  expect(Buffer.from((await store.get(name, 9)) ?? []).toString()).toBe('all of it');
  server.fault = () => ({ kind: 'cut' });
  expect(await whyOf(store.get(name, 9))).toContain('it ended the connection in the middle');
  expect(server.requests).toHaveLength(1 + 3 + 3);
});

test.each<[string, S3Fault, number]>([
  ['there is no bucket evidence there', refuse(404, 'NoSuchBucket'), 1],
  ['needs s3:PutObject, s3:GetObject and s3:DeleteObject on evidence/straceback/*', refuse(403, 'AccessDenied'), 1],
  ['AWS_SECRET_ACCESS_KEY is not the secret of AWS_ACCESS_KEY_ID', refuse(403, 'SignatureDoesNotMatch'), 1],
  ['it does not know the key of AWS_ACCESS_KEY_ID', refuse(403, 'InvalidAccessKeyId'), 1],
  ['is not in the region eu-central-1', refuse(301, 'PermanentRedirect'), 1],
  ['it is asked for too much at the moment', refuse(503, 'SlowDown'), 3],
  ['it has an error of its own', refuse(500, 'InternalError'), 3],
  ['it has no room for it', refuse(507, 'XMinioStorageFull'), 1],
  ['it answers HTTP 418 and Teapot', refuse(418, 'Teapot'), 1],
])('%s', async (sentence, fault, tries) => {
  const { server, store, log } = await open();
  server.fault = () => fault;
  expect(await whyOf(store.put(name, Buffer.from('one')))).toContain(sentence);
  expect(server.requests).toHaveLength(tries);
  expect(store.state()).toMatchObject({ ok: false, why: expect.stringContaining(sentence) });
  // What a server says may hold anything; keys never leave.
  expect(JSON.stringify(log.lines)).not.toContain(server.key.secretAccessKey);
});

test('a wrong secret, another region and a wrong clock are found out by the server itself', async () => {
  const { server } = await open();
  const wrong = storeOn(server, { keys: { ...server.key, secretAccessKey: 'another' } });
  expect(await whyOf(wrong.store.put(name, Buffer.from('x')))).toContain('is not the secret of AWS_ACCESS_KEY_ID');
  const region = storeOn(server, { region: 'us-west-2' });
  expect(await whyOf(region.store.put(name, Buffer.from('x')))).toContain('is not in the region us-west-2');
  const bucket = storeOn(server, { bucket: 'another' });
  expect(await whyOf(bucket.store.list(''))).toContain('there is no bucket another there');
  // The SDK takes the time from the refusal, so that a clock that is off costs one request and no evidence.
  server.clockOff = 3 * 3_600_000;
  await storeOn(server).store.put(name, Buffer.from('x'));
  expect(server.objects.size).toBe(1);
});

test('an answer that never comes, or never ends, takes bounded time', async () => {
  const { server, store } = await open({}, {}, { withinMs: 600, silentMs: 200 });
  server.fault = () => ({ kind: 'hang' });
  expect(await whyOf(store.put(name, Buffer.from('one')))).toContain('it did not answer in time');
  server.fault = () => ({ kind: 'endless', status: 500 });
  expect(await whyOf(store.put(name, Buffer.from('one')))).toContain('cannot be used');
  server.fault = () => ({ kind: 'endless', status: 200 });
  expect(await whyOf(store.list(''))).toContain('cannot be used');
  // Of an object no more is read than it is said to have, and a byte.
  expect((await storeOn(server).store.get(name, 1_000))?.length).toBe(1_001);
});

test.each<[string, Buffer]>([
  ['nothing', Buffer.alloc(0)],
  ['something else', Buffer.from('<html><body>It works!</body></html>')],
  ['rubbish', randomBytes(10_000)],
  ['deep XML', Buffer.from('<a>'.repeat(1_000_000))],
  ['a cut list', Buffer.from('<?xml version="1.0"?><ListBucketResult><Contents><Key>strace')],
  [
    'entities of entities',
    Buffer.from(
      `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "${'a'.repeat(1_000)}">${Array.from({ length: 10 }, (_each, index) => `<!ENTITY b${index} "${'&a;'.repeat(1_000)}">`).join('')}<!ENTITY f SYSTEM "file:///etc/passwd">]><ListBucketResult><Contents><Key>straceback/&b9;&f;</Key></Contents></ListBucketResult>`,
    ),
  ],
])('a server that lists %s is a trouble or an empty list, and nothing is deleted by it', async (_what, body) => {
  const { server, store } = await open();
  server.fault = () => ({ kind: 'body', status: 200, body });
  const listed = await store.list('').catch((error: unknown) => {
    expect(error).toBeInstanceOf(EvidenceUnavailable);
    return { objects: [], last: null };
  });
  expect(listed).toEqual({ objects: [], last: null });
});

test('while it is in trouble nobody waits for it; then it is tried again', async () => {
  const { server, store, log } = await open({}, {}, { pauseMs: [60_000, 60_000] });
  server.allowed = new Set(['get', 'list', 'delete']);
  await whyOf(store.put(name, Buffer.from('one')));
  await whyOf(store.put(name, Buffer.from('two')));
  await whyOf(store.get(name, 3));
  expect(server.requests).toHaveLength(1);
  expect(await store.probe()).toMatchObject({ ok: false });
  server.allowed = new Set(['put', 'get', 'list', 'delete']);
  expect(await store.probe()).toMatchObject({ ok: true });
  await store.put(name, Buffer.from('three'));
  // The probe leaves nothing behind.
  expect([...server.objects.keys()]).toEqual([`straceback/${name}`]);
  expect(log.lines.map(({ message }) => message)).toEqual(['evidence store: trouble', 'evidence store: works again']);
});

test.each(['put', 'get', 'delete', 'list'] as const)('the probe says so when the key may not %s', async (missing) => {
  const { server, store } = await open();
  server.allowed = new Set((['put', 'get', 'delete', 'list'] as const).filter((each) => each !== missing));
  expect((await store.probe()).why).toContain('it does not allow it');
});

test('a server that is not there, or comes back', async () => {
  const { server, store } = await open();
  await server.stop();
  expect(await whyOf(store.put(name, Buffer.from('one')))).toContain('nothing answers there');
  await server.start();
  await store.put(name, Buffer.from('one'));
  expect(store.state().ok).toBe(true);
  const nowhere = storeOn(server, { endpoint: 'http://there-is-no-such-host.invalid' });
  expect(await whyOf(nowhere.store.put(name, Buffer.from('one')))).toContain('its name cannot be resolved');
});

test('by TLS the certificate is checked, by an authority of the site’s own where it says so', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-s3-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await authority(folder, 'ca');
  await certificate(folder, 'server', { by: 'ca', extension: 'subjectAltName=DNS:localhost' });
  const [ca, cert, key] = await Promise.all(
    ['ca.crt', 'server.crt', 'server.key'].map((file) => readFile(path.join(folder, file), 'utf8')),
  );
  const { server, store } = await open({ tls: { cert: cert ?? '', key: key ?? '' } }, { ca });
  await store.put(name, Buffer.from('one'));
  expect(server.objects.size).toBe(1);
  const unknown = storeOn(server);
  expect(await whyOf(unknown.store.put(name, Buffer.from('one')))).toContain('give that in evidence.s3.ca');
  const other = storeOn(server, { ca, endpoint: `https://127.0.0.1:${server.port}` });
  expect(await whyOf(other.store.put(name, Buffer.from('one')))).toContain('for another name');
  const plain = storeOn(server, { endpoint: `http://localhost:${server.port}` }, { withinMs: 2_000 });
  expect(await whyOf(plain.store.put(name, Buffer.from('one')))).toContain('cannot be used');
});
