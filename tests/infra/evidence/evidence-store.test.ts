import { randomBytes } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { EvidenceChanged, EvidenceUnavailable, newName } from '../../../infra/evidence/far-store.ts';
import { silentLog } from '../../../infra/log.ts';
import { closeRedis, openPatient } from '../../../infra/queue/connection.ts';
import { type EvidenceFile, leaseOf, readStored, storeFiles } from '../../../infra/queue/evidence-store.ts';
import { sweepEvidence } from '../../../infra/queue/evidence-sweep.ts';
import { openOutboxes } from '../../../infra/queue/outbox.ts';
import { keptLog, redisForTest } from '../../support/queue.ts';
import { type S3Server, s3ForTest } from '../../support/s3-server.ts';
import { farForTest } from '../../support/s3-store.ts';

const HOUR = 3_600_000;

const open = async () => {
  const { url } = await redisForTest();
  const redis = openPatient(url, silentLog);
  onTestFinished(() => closeRedis(redis));
  const server = await s3ForTest();
  return { url, redis, server, far: farForTest(server) };
};

const file = (name: string, content: Uint8Array): EvidenceFile => ({
  name,
  evidenceId: name,
  content,
  truncated: false,
});

const hostile = '../../etc/passwd\n<x>&"';

test('all files of a look are one object, whose name nobody chose, and are read again', async () => {
  const { redis, server, far } = await open();
  const big = randomBytes(200_000);
  const files = [file(hostile, Buffer.from('pid 6325\n')), file('E2', big), file('E3', new Uint8Array())];
  const stored = await storeFiles({ redis, far }, hostile, files, silentLog);
  expect([...server.objects.keys()]).toEqual([expect.stringMatching(/^straceback\/\d{8}T\d\d-[0-9a-f-]{36}$/)]);
  const [object] = server.objects.values();
  expect(object?.type).toBe('application/octet-stream');
  // Compressed, and nothing of it in Redis but the lease.
  expect(object?.bytes.includes('pid 6325')).toBe(false);
  expect((await redis.keys('*')).length).toBe(1);
  expect(await redis.ttl(stored[0]?.stored ?? '')).toBeGreaterThan(23 * 3_600);
  const contents = await Promise.all(stored.map((each) => readStored({ redis, far }, each)));
  expect(contents.map((each) => Buffer.from(each ?? [1]))).toEqual([Buffer.from('pid 6325\n'), big, Buffer.alloc(0)]);
  expect(server.requests.map(({ operation }) => operation)).toEqual(['put', 'get']);
});

test('what was put into Redis before there was a bucket is still read, and the other way round it is said', async () => {
  const { redis, server, far } = await open();
  const [old] = await storeFiles({ redis }, 'r1', [file('E1', Buffer.from('old'))], silentLog);
  const [young] = await storeFiles({ redis, far }, 'r2', [file('E1', Buffer.from('young'))], silentLog);
  if (old === undefined || young === undefined) throw new Error('nothing was stored');
  expect(Buffer.from((await readStored({ redis, far }, old)) ?? []).toString()).toBe('old');
  expect(server.requests).toHaveLength(1);
  await expect(readStored({ redis }, young)).rejects.toThrow('has no evidence.s3 in its configuration');
});

test('what was changed, cut or replaced in the bucket is refused', async () => {
  const { redis, server, far } = await open();
  const [stored] = await storeFiles({ redis, far }, 'r1', [file('E1', Buffer.from('all of it'))], silentLog);
  const [key] = server.objects.keys();
  const object = server.objects.get(key ?? '');
  if (stored === undefined || object === undefined) throw new Error('nothing was stored');
  const read = () => readStored({ redis, far: farForTest(server) }, stored);
  const was = object.bytes;
  for (const bytes of [
    Buffer.from(was).fill(1, 4, 5),
    was.subarray(0, -1),
    Buffer.concat([was, was]),
    Buffer.alloc(0),
    randomBytes(5_000_000),
  ]) {
    object.bytes = bytes;
    await expect(read()).rejects.toThrow(EvidenceChanged);
  }
  object.bytes = was;
  expect(Buffer.from((await read()) ?? []).toString()).toBe('all of it');
  server.objects.clear();
  expect(await read()).toBeNull();
  // Whoever can write messages cannot have more read than a look may keep.
  const part = { at: 0, bytes: 1e12, whole: 1e12, sha256: 'a'.repeat(64) };
  expect(await readStored({ redis, far }, { ...stored, part })).toBeNull();
});

test('while the bucket cannot be used Redis keeps what is small, and the rest is said to be missing', async () => {
  const { redis, server, far } = await open();
  server.fault = () => ({ kind: 'refuse', status: 403, code: 'AccessDenied' });
  const log = keptLog();
  const files = [file('E1', Buffer.from('small')), file('E2', randomBytes(2_000_000)), file('E3', Buffer.from('too'))];
  const stored = await storeFiles({ redis, far }, 'r1', files, log);
  expect(stored.map((each) => [each.stored === '', each.truncated])).toEqual([
    [false, false],
    [true, true],
    [false, false],
  ]);
  const [small] = stored;
  if (small === undefined) throw new Error('nothing was stored');
  expect(Buffer.from((await readStored({ redis, far }, small)) ?? []).toString()).toBe('small');
  expect(JSON.stringify(log.lines)).toContain('it does not allow it');
});

/** Makes an object as old as the sweeper asks for. */
const age = (server: S3Server, stored: string, hours: number): string => {
  const name = stored.slice(leaseOf('').length);
  const object = server.objects.get(`straceback/${name}`);
  if (object === undefined) throw new Error('it is not there');
  const older = newName(Date.now() - hours * HOUR);
  server.objects.delete(`straceback/${name}`);
  server.objects.set(`straceback/${older}`, { ...object, at: Date.now() - hours * HOUR });
  return older;
};

test('a day after it was written down an object is deleted; what is held, young or somebody else’s stays', async () => {
  const { url, redis, server, far } = await open();
  const store = async (id: string) =>
    (await storeFiles({ redis, far }, id, [file('E1', Buffer.from(id))], silentLog))[0]?.stored ?? '';
  const over = age(server, await store('over'), 26);
  const heldName = age(server, await store('held'), 30);
  const young = await store('young');
  // Its lease was never written: the worker died, or Redis had no room.
  await redis.del(young);
  await redis.set(leaseOf(heldName), '', 'EX', 60);
  const outboxes = openOutboxes(url, silentLog);
  onTestFinished(outboxes.close);
  await outboxes.looks.put({ id: 'held', at: 1, data: {} }, [leaseOf(heldName)]);
  expect(await redis.ttl(leaseOf(heldName))).toBeGreaterThan(6 * 24 * 3_600);
  const other = { bytes: Buffer.from('x'), type: '', at: 1 };
  for (const key of ['straceback/notes.txt', 'straceback/sub/20200101T00-x', 'other/x']) server.objects.set(key, other);

  expect(await sweepEvidence(redis, far, Date.now())).toBe(1);
  expect(server.objects.has(`straceback/${over}`)).toBe(false);
  expect(server.objects.size).toBe(5);
  await outboxes.looks.done(['held'], [leaseOf(heldName)]);
  expect(await redis.ttl(leaseOf(heldName))).toBeLessThanOrEqual(24 * 3_600);
  await redis.del(leaseOf(heldName));
  expect(await sweepEvidence(redis, far, Date.now())).toBe(1);
  expect([...server.objects.keys()].filter((key) => key.startsWith('straceback/2')).length).toBe(1);
});

test('a bucket full of old objects is swept page by page, and the young ones are not even listed', async () => {
  const { redis, server, far } = await open();
  const made = (hours: number): string => {
    const at = Date.now() - hours * HOUR;
    const name = newName(at);
    server.objects.set(`straceback/${name}`, { bytes: Buffer.alloc(0), type: '', at });
    return name;
  };
  const old = Array.from({ length: 1_200 }, () => made(48));
  const over = old.filter((_name, index) => index % 60 === 0);
  await Promise.all(old.filter((name) => !over.includes(name)).map((name) => redis.set(leaseOf(name), '', 'EX', 600)));
  for (let index = 0; index < 1_300; index += 1) made(2);
  expect(await sweepEvidence(redis, far, Date.now())).toBe(over.length);
  expect(over.some((name) => server.objects.has(`straceback/${name}`))).toBe(false);
  expect(server.objects.size).toBe(2_500 - over.length);
  expect(server.requests.filter(({ operation }) => operation === 'list')).toHaveLength(2);
  server.fault = () => ({ kind: 'refuse', status: 403, code: 'AccessDenied' });
  await expect(sweepEvidence(redis, far, Date.now())).rejects.toThrow(EvidenceUnavailable);
});
