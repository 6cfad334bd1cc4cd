import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { silentLog } from '../../../infra/log.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import { observeQueue } from '../../../infra/queue/observer.ts';
import { type RedisPlace, readRedisUrl } from '../../../infra/queue/place.ts';
import { openWorkerQueue } from '../../../infra/queue/worker-side.ts';
import { type RedisFault, type RedisSettings, redisFrom } from '../../../infra/redis-settings.ts';
import { reportFor } from '../../support/bot.ts';
import { authority, CLIENT, certificate, LOOPBACK } from '../../support/certificates.ts';
import { arrival, requestForTest, startProcess } from '../../support/queue.ts';
import { folderForTest, freePorts, redisCli, type Started, serverForTest } from '../../support/redis-kinds.ts';
import { until } from '../../support/until.ts';

const ASKING = fileURLToPath(new URL('./readiness-process.ts', import.meta.url));
let folder = '';

/** Certificates that all tests here share: `ca` and `server`, `client`, `late` (server, expired) by it; `other` and `stranger` by that. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'straceback-tls-'));
  await Promise.all([authority(folder, 'ca'), authority(folder, 'other')]);
  await certificate(folder, 'server', { by: 'ca', extension: LOOPBACK });
  await certificate(folder, 'late', { by: 'ca', extension: LOOPBACK, days: -1 });
  await certificate(folder, 'named', { by: 'ca', extension: 'subjectAltName=DNS:redis.internal' });
  await certificate(folder, 'client', { by: 'ca', extension: CLIENT });
  await certificate(folder, 'old', { by: 'ca', extension: CLIENT, days: -1 });
  await certificate(folder, 'stranger', { by: 'other', extension: CLIENT });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const tlsServer = (name: string, clients: 'yes' | 'no' = 'yes') => [
  `tls-cert-file ${join(folder, `${name}.crt`)}`,
  `tls-key-file ${join(folder, `${name}.key`)}`,
  `tls-ca-cert-file ${join(folder, 'ca.crt')}`,
  `tls-auth-clients ${clients}`,
];
const CLI = () => ['--tls', '--cacert', 'ca.crt', '--cert', 'client.crt', '--key', 'client.key'].map(inFolder);
const inFolder = (word: string): string => (/\.(?:crt|key)$/.test(word) ? join(folder, word) : word);
const MUTUAL = { ca: 'ca.crt', cert: 'client.crt', key: 'client.key' };

const placeFrom = (url: string, tls: RedisSettings['tls']): RedisPlace => {
  const faults: RedisFault[] = [];
  const place = redisFrom({ url, tls }, {}, folder, faults);
  expect(faults).toEqual([]);
  return place ?? readRedisUrl(url);
};

/** A look goes from one side to the other and its answer back. */
const useBothWays = async (place: RedisPlace): Promise<() => Promise<unknown>> => {
  const worker = openWorkerQueue({ redisUrl: place, concurrency: 1, log: silentLog });
  const queue = openBotQueue({ redisUrl: place, log: silentLog });
  const close = () => Promise.all([worker.close(), queue.close()]);
  onTestFinished(() => close().then(() => undefined));
  worker.work(async (request) => ({ outcome: { kind: 'report', report: reportFor(request) }, files: [] }));
  const answered = arrival<string>();
  queue.onAnswer(async ({ requestId }) => answered.arrive(requestId));
  await until('the queue takes work', () => queue.healthy());
  const request = requestForTest();
  await queue.enqueue(request);
  expect(await answered.promise).toBe(request.id);
  return close;
};

/** What /readyz says of Redis by each of these settings, by a program of its own that lives on. */
const complaints = async (...settings: readonly RedisSettings[]): Promise<readonly string[]> => {
  const asked = startProcess(ASKING, [folder, ...settings.map((each) => JSON.stringify(each))]);
  const said = z.array(z.string()).parse(JSON.parse(await asked.says('[')));
  expect(await asked.ended).toEqual([0, null]);
  for (const why of said)
    expect(why).toMatch(/^Redis does not answer at 127\.0\.0\.1:\d+.* \(.+\)\. Work waits until it does\.$/);
  return said;
};

/** A server that speaks TLS alone. */
const startTls = async (name: string, clients: 'yes' | 'no' = 'yes', port = 0): Promise<Started & { port: number }> => {
  const [free = 0] = port === 0 ? await freePorts(1) : [port];
  const settings = ['port 0', `tls-port ${free}`, ...tlsServer(name, clients)];
  return { ...(await serverForTest(folder, `tls-${free}`, settings)), port: free };
};

test('Sentinel by TLS, or without where only the servers have it', async () => {
  const [one = 0, other = 0, watcher = 0, plain = 0] = await freePorts(4);
  const tls = ['port 0', 'tls-replication yes', ...tlsServer('server')];
  await serverForTest(folder, `one-${one}`, [...tls, `tls-port ${one}`]);
  await serverForTest(folder, `other-${other}`, [...tls, `tls-port ${other}`, `replicaof 127.0.0.1 ${one}`]);
  await until('the replica follows', async () =>
    (await redisCli(other, ...CLI(), 'info', 'replication')).includes('master_link_status:up'),
  );
  const sentinel = [
    `port ${plain}`,
    `tls-port ${watcher}`,
    ...tls.slice(1),
    `sentinel monitor ours 127.0.0.1 ${one} 1`,
  ];
  await serverForTest(folder, `sentinel-${watcher}`, [...sentinel, 'sentinel failover-timeout ours 2000'], {
    sentinel: true,
    ready: '+slave slave',
  });
  const secure = placeFrom(`rediss+sentinel://127.0.0.1:${watcher}/ours`, MUTUAL);
  const close = await useBothWays(secure);
  // Or the first would take the answer to the second.
  await close();
  await useBothWays(placeFrom(`rediss+sentinel://127.0.0.1:${plain}/ours`, { ...MUTUAL, sentinels: false }));
  const watched = `rediss+sentinel://127.0.0.1:${watcher}`;
  const said = await complaints(
    { url: `${watched}/theirs`, tls: MUTUAL },
    { url: `${watched}/ours`, tls: { ...MUTUAL, ca: 'other.crt' } },
    { url: `${watched}/ours`, tls: { ca: 'ca.crt' } },
  );
  expect(said).toEqual([
    expect.stringContaining('the sentinels know no master of the name at the end of REDIS_URL'),
    expect.stringContaining('its certificate is by an authority that is not trusted here'),
    expect.stringContaining('redis.tls.cert and key'),
  ]);
});

test('a Cluster by TLS', async () => {
  const ports = await freePorts(6);
  const nodes = ports.slice(0, 3);
  await Promise.all(
    nodes.map((port, index) =>
      serverForTest(folder, `node-${port}`, [
        ...['port 0', `tls-port ${port}`, `cluster-port ${ports[index + 3]}`, ...tlsServer('server')],
        ...['cluster-enabled yes', 'tls-cluster yes', `cluster-config-file nodes-${port}.conf`],
      ]),
    ),
  );
  const addresses = nodes.map((port) => `127.0.0.1:${port}`);
  await redisCli(nodes[0] ?? 0, ...CLI(), '--cluster', 'create', ...addresses, '--cluster-yes');
  for (const port of nodes)
    await until('it is whole', async () => (await redisCli(port, ...CLI(), 'cluster', 'info')).includes('state:ok'));
  const url = `rediss+cluster://${addresses.join(',')}`;
  await useBothWays(placeFrom(url, MUTUAL));
  const observer = observeQueue(placeFrom(url, { ...MUTUAL, ca: 'other.crt' }), silentLog);
  onTestFinished(() => observer.close());
  await until('it says why', async () =>
    (await observer.state()).why.includes('give the file of that authority in redis.tls.ca'),
  );
});

describe('what is wrong is said, and what to do about it', () => {
  test('with either side’s certificate, name or port', async () => {
    const [right, late, named, plain] = await Promise.all([
      startTls('server'),
      startTls('late', 'no'),
      startTls('named', 'no'),
      freePorts(1).then(async ([port = 0]) => ({
        ...(await serverForTest(folder, `plain-${port}`, [`port ${port}`])),
        port,
      })),
    ]);
    const at = ({ port }: { port: number }, tls: RedisSettings['tls'] = MUTUAL) => ({
      url: `rediss://127.0.0.1:${port}`,
      tls,
    });
    await useBothWays(placeFrom(at(right).url, MUTUAL));
    await useBothWays(placeFrom(at(named).url, { ...MUTUAL, serverName: 'redis.internal' }));
    const said = await complaints(
      at(right, { ca: 'other.crt' }),
      at(right, { ca: 'ca.crt' }),
      at(right, { ca: 'ca.crt', cert: 'stranger.crt', key: 'stranger.key' }),
      at(right, { ca: 'ca.crt', cert: 'old.crt', key: 'old.key' }),
      at(late),
      at(named),
      at(plain),
    );
    expect(said).toEqual(
      [
        'its certificate is by an authority that is not trusted here; give the file of that authority in redis\\.tls\\.ca',
        // Whether the server's words arrive before its end of the connection is chance.
        'it (?:wants a certificate of this client|ended the connection).* redis\\.tls\\.cert and key',
        'it (?:does not accept our client certificate|ended the connection).* redis\\.tls\\.cert and key',
        'our client certificate has expired; renew the files',
        'its certificate, or that of its authority, has expired; renew it',
        'its certificate is for another name; give that name in redis\\.tls\\.serverName',
        '(?:it does not speak TLS|nothing answers by TLS) there',
      ].map((words) => expect.stringMatching(`\\(${words}`)),
    );
  });

  test('and a certificate that is renewed, on either side, is taken without a restart', async () => {
    const mine = await folderForTest();
    for (const [from, to] of [
      ['ca.crt', 'ca.crt'],
      ['old.crt', 'own.crt'],
      ['old.key', 'own.key'],
    ] as const)
      await copyFile(join(folder, from), join(mine, to));
    const late = await startTls('late');
    const faults: RedisFault[] = [];
    const tls = { ca: 'ca.crt', cert: 'own.crt', key: 'own.key' };
    const place = redisFrom({ url: `rediss://127.0.0.1:${late.port}`, tls }, {}, mine, faults);
    if (place === undefined) throw new Error('no place');
    const observer = observeQueue(place, silentLog);
    onTestFinished(() => observer.close());
    const says = (words: string) => until(words, async () => (await observer.state()).why.includes(words));
    await says('its certificate, or that of its authority, has expired');
    await late.kill();
    await startTls('server', 'yes', late.port);
    await says('our client certificate has expired');
    await copyFile(join(folder, 'client.key'), join(mine, 'own.key'));
    await copyFile(join(folder, 'client.crt'), join(mine, 'own.crt'));
    await says('Redis answers at');
    expect(faults).toEqual([]);
  });

  test('at once where it can be seen in the files', () => {
    const faultsOf = (tls: RedisSettings['tls']) => {
      const faults: RedisFault[] = [];
      redisFrom({ url: 'rediss://redis', tls }, {}, folder, faults);
      return faults.map(({ path, message }) => `${path.join('.')} ${message}`);
    };
    expect(faultsOf(MUTUAL)).toEqual([]);
    expect(faultsOf({ ca: 'ca.key', cert: 'client.key', key: 'client.crt' })).toEqual([
      'tls.ca is no certificate in PEM form',
      'tls.cert is no certificate in PEM form',
      'tls.key is no private key in PEM form',
    ]);
    expect(faultsOf({ cert: 'client.crt', key: 'server.key' })).toEqual([
      'tls.key is not the key of the certificate in cert',
    ]);
    expect(faultsOf({ ca: 'none.crt' })).toEqual([expect.stringMatching(/^tls\.ca cannot be read \(ENOENT/)]);
  });
});
