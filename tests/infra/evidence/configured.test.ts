import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openSurroundings } from '../../../infra/attend.ts';
import { BadConfig, readConfig } from '../../../infra/config.ts';
import { checkConfig, type Judges } from '../../../infra/config-check/check.ts';
import { newName } from '../../../infra/evidence/far-store.ts';
import { openS3 } from '../../../infra/evidence/s3.ts';
import { silentLog } from '../../../infra/log.ts';
import { keptLog, redisForTest } from '../../support/queue.ts';
import { type S3Server, s3ForTest } from '../../support/s3-server.ts';
import { placeOn } from '../../support/s3-store.ts';
import { until } from '../../support/until.ts';

const KEYS = {
  AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};

const fileWith = async (text: string): Promise<string> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-s3-config-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(path.join(folder, 'no.pem'), 'no certificate');
  const file = path.join(folder, 'straceback.yaml');
  await writeFile(file, text);
  return file;
};

const judges: Judges = {
  playbooks: async () => ({ ids: [], own: 0, faults: [] }),
  routes: () => [],
  sources: async () => [],
};

const faultsOf = async (text: string, env: Record<string, string> = KEYS): Promise<string[]> => {
  const file = await fileWith(text);
  const tokens = { SLACK_BOT_TOKEN: 'xoxb-1-a', SLACK_APP_TOKEN: 'xapp-1-a' };
  const { faults } = await checkConfig({ file }, judges, { ...tokens, ...env });
  return faults.map((line) => line.replaceAll(`${path.dirname(file)}/`, ''));
};

test('a bucket in the configuration, with its keys from the environment', async () => {
  const short = await fileWith('evidence:\n  s3: {bucket: my-bucket, region: eu-west-3}\n');
  expect(readConfig(short, KEYS).evidence).toEqual({
    bucket: 'my-bucket',
    region: 'eu-west-3',
    endpoint: undefined,
    prefix: 'straceback/',
    forcePathStyle: false,
    ca: undefined,
    keys: { accessKeyId: KEYS.AWS_ACCESS_KEY_ID, secretAccessKey: KEYS.AWS_SECRET_ACCESS_KEY },
  });
  const long = await fileWith(
    'evidence:\n  s3: {bucket: b.1, endpoint: "http://minio:9000", prefix: a/b/, forcePathStyle: false, credentials: role}\n',
  );
  expect(readConfig(long, {}).evidence).toMatchObject({
    endpoint: 'http://minio:9000',
    prefix: 'a/b/',
    keys: undefined,
  });
  expect(readConfig(await fileWith('evidence: {}\n'), KEYS).evidence).toBeUndefined();
  expect(() => readConfig(short.replace('.yaml', '.none'), KEYS)).toThrow(BadConfig);
  const token = { ...KEYS, AWS_SESSION_TOKEN: 'a-token' };
  expect(readConfig(short, token).evidence?.keys).toMatchObject({ sessionToken: 'a-token' });
  const tokens = { SLACK_BOT_TOKEN: 'xoxb-1-a', SLACK_APP_TOKEN: 'xapp-1-a' };
  const { faults, summary } = await checkConfig({ file: short }, judges, { ...tokens, ...token });
  expect(faults).toEqual([]);
  expect(summary).toContain('evidence in the bucket my-bucket of Amazon S3 in eu-west-3');
  expect(summary).not.toContain('wJalr');
});

test.each<[string, string]>([
  ['bucket: My_Bucket', 'evidence.s3.bucket: is no name of a bucket'],
  ['bucket: 10.0.0.1', 'evidence.s3.bucket: is no name of a bucket'],
  ['bucket: b', 'evidence.s3.bucket: is no name of a bucket'],
  ['bucket: good, region: "eu west"', 'evidence.s3.region: is no region'],
  ['bucket: good, prefix: ""', 'evidence.s3.prefix: is no prefix'],
  ['bucket: good, prefix: no-slash', 'evidence.s3.prefix: is no prefix'],
  ['bucket: good, prefix: /a/', 'evidence.s3.prefix: is no prefix'],
  ['bucket: good, prefix: a/../', 'evidence.s3.prefix: is no prefix'],
  ['bucket: good, endpoint: minio', 'evidence.s3.endpoint: is no address'],
  ['bucket: good, endpoint: "ftp://minio"', 'evidence.s3.endpoint: is no address'],
  ['bucket: good, endpoint: "https://me:hidden-key@minio"', 'evidence.s3.endpoint: holds a key'],
  ['bucket: good, endpoint: "https://minio/bucket"', 'evidence.s3.endpoint: holds more than the host'],
  ['bucket: good, ca: none.pem', 'evidence.s3.ca: cannot be read'],
  ['bucket: good, ca: no.pem', 'evidence.s3.ca: is no certificate in PEM form'],
  ['bucket: good, endpoint: "http://minio", ca: no.pem', 'evidence.s3.ca: is of no use'],
  ['bucket: good, credentials: mine', 'evidence.s3.credentials: '],
  ['bucket: good, secretAccessKey: hidden-key', 'evidence.s3.secretAccessKey: there is no such setting'],
])('config check names what is wrong with {%s}', async (text, told) => {
  const faults = await faultsOf(`log: {level: info}\nevidence:\n  s3: {${text}}\n`);
  expect(faults).toContainEqual(expect.stringContaining(`straceback.yaml:3: ${told}`));
  expect(faults.join('\n')).not.toContain('hidden-key');
});

test('config check names keys that are not there, or cannot be right', async () => {
  const text = 'evidence:\n  s3: {bucket: my-bucket}\n';
  const { AWS_ACCESS_KEY_ID } = KEYS;
  const lacking: Record<string, string>[] = [{}, { AWS_ACCESS_KEY_ID }, { ...KEYS, AWS_ACCESS_KEY_ID: '' }];
  for (const env of lacking)
    expect(await faultsOf(text, env)).toContainEqual(
      expect.stringMatching(
        /straceback\.yaml:2: evidence\.s3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set/,
      ),
    );
  const spaced = await faultsOf(text, { ...KEYS, AWS_SECRET_ACCESS_KEY: 'secret-with-a-line-end\n' });
  expect(spaced).toEqual([expect.stringContaining('AWS_SECRET_ACCESS_KEY begins or ends with a space')]);
  expect(spaced.join()).not.toContain('secret-with');
});

const configFor = async ({ bucket, region, endpoint }: S3Server) =>
  readConfig(
    await fileWith(
      `health: {port: 0}\nevidence:\n  s3: {bucket: ${bucket}, region: ${region}, endpoint: "${endpoint}"}\n`,
    ),
    KEYS,
  );

test('the program says how the bucket is, counts what it asks of it, and is ready without it', async () => {
  const [server, redis] = await Promise.all([s3ForTest(), redisForTest()]);
  server.fault = () => ({ kind: 'refuse', status: 403, code: 'AccessDenied' });
  const log = keptLog();
  const around = await openSurroundings(await configFor(server), redis.url, log);
  onTestFinished(around.close);
  const part = async () => (await around.parts.all()).parts.evidence;
  await until('it is tried at the start', async () => (await part())?.why.includes('does not allow it') === true);
  expect(await part()).toEqual({ ok: true, why: expect.stringContaining('What is small stays in Redis meanwhile') });
  expect(log.lines.filter(({ message }) => message === 'evidence store: trouble')).toHaveLength(1);
  server.fault = null;
  expect(await around.evidence?.probe()).toMatchObject({ ok: true });
  expect((await part())?.why).toContain('Evidence is kept in the bucket evidence at localhost:');
  const port = log.lines.find(({ message }) => message === 'listening for health checks')?.fields;
  if (port === undefined || !('port' in port)) throw new Error('it does not listen');
  const text = await (await fetch(`http://127.0.0.1:${port.port}/metrics`)).text();
  expect(text).toContain('straceback_evidence_store_requests_total{operation="put",outcome="failed"} 1');
  expect(text).toContain('straceback_evidence_store_requests_total{operation="list",outcome="done"} 1');
  expect(text + JSON.stringify(log.lines)).not.toContain('wJalr');
});

test('keys of a role come from where the machine has them, and go with their token', async () => {
  const keys = { accessKeyId: 'ASIAROLE', secretAccessKey: 'of-the-role', sessionToken: 'token-of-the-role' };
  const role = createServer((_request, response) => {
    const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: Token } = keys;
    const Expiration = new Date(Date.now() + 3_600_000).toISOString();
    response
      .setHeader('content-type', 'application/json')
      .end(JSON.stringify({ AccessKeyId, SecretAccessKey, Token, Expiration }));
  });
  role.listen(0, '127.0.0.1');
  await once(role, 'listening');
  onTestFinished(() => void role.close());
  const { port } = role.address() as AddressInfo;
  // As a container of Amazon's has it.
  vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `http://127.0.0.1:${port}/role`);
  for (const name of Object.keys(KEYS)) vi.stubEnv(name, undefined);
  onTestFinished(() => void vi.unstubAllEnvs());
  const server = await s3ForTest({ key: keys });
  const store = openS3({ ...placeOn(server), keys: undefined }, { log: silentLog });
  onTestFinished(store.close);
  await store.put(newName(Date.now()), Buffer.from('one'));
  expect(server.objects.size).toBe(1);
});
