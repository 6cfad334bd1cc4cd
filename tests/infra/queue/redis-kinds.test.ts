import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../infra/log.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import { untilClusterAnswers } from '../../../infra/queue/cluster-start.ts';
import { type RedisAddress, readRedisUrl } from '../../../infra/queue/place.ts';
import { type RedisFault, redisFrom } from '../../../infra/redis-settings.ts';
import { botForTest, quiet, reportFor, slackForTest, workerForTest } from '../../support/bot.ts';
import { expectOneAnswerEach, untilAnswered } from '../../support/one-answer.ts';
import { arrival, startProcess } from '../../support/queue.ts';
import { certificatesForTest, folderForTest, freePorts, redisCli, serverForTest } from '../../support/redis-kinds.ts';
import { until } from '../../support/until.ts';

const CLOSING = fileURLToPath(new URL('./closing-process.ts', import.meta.url));

/** Everything that touches Redis in a way of its own: scripts over several keys, blocking reads, streams, leases. */
const useEverything = async (address: RedisAddress): Promise<void> => {
  const slack = await slackForTest();
  const worker = workerForTest(address, async (request, tools) =>
    tools.withTargetLock({ host: request.host, pid: request.pid, doing: 'a look' }, async () => {
      tools.progress({ requestId: request.id, doing: 'Looking', probes: ['sample'], percent: 50, seconds: 1 });
      await tools.journal.started('strace', ['slows']);
      return {
        outcome: { kind: 'report', report: reportFor(request) },
        files: [{ name: 'E1.txt', evidenceId: 'E1', content: Buffer.from('pid\n'), truncated: false }],
      };
    }),
  );
  worker.find(async () => ({ kind: 'failure', failure: { code: 'no-such-process', sentence: 'Nobody.' } }));
  const { queue } = await botForTest(slack, address);
  await worker.hosts.tell({ host: 'web-7', at: 1, reachable: true, words: 'well' });
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await slack.user('bob').slash('/diagnose', 'web-7 6326', 'ops');
  await untilAnswered(slack, 2);
  await quiet(queue);
  expectOneAnswerEach(slack, [6325, 6326]);
  expect(await queue.notes.claim('test', 'a', 1, 60)).toBe(true);
  expect(await queue.notes.count('test', 'b', 60, 3)).toBe(3);
  expect(await queue.hostStates.newest(5)).toEqual([expect.objectContaining({ host: 'web-7' })]);
  expect((await queue.recentLooks.newest(5)).map(({ pid }) => pid).sort()).toEqual([6325, 6326]);
  await expect.poll(async () => (await queue.status()).workers, { timeout: 30_000 }).toBe(1);
  expect(await queue.alone('test', 'c', async () => 'done')).toBe('done');
  expect(await queue.open(() => true)).toEqual([]);
};

test('Redis behind TLS that asks for a certificate, a user and a password', async () => {
  const folder = await folderForTest();
  await certificatesForTest(folder);
  const [port = 0] = await freePorts(1);
  await serverForTest(folder, 'tls', [
    'port 0',
    `tls-port ${port}`,
    'tls-cert-file server.crt',
    'tls-key-file server.key',
    'tls-ca-cert-file ca.crt',
    'tls-auth-clients yes',
    'user default off',
    'user straceback on >p@ss ~{straceback}:* &* +@all',
  ]);
  const faults: RedisFault[] = [];
  const settings = {
    url: `rediss://127.0.0.1:${port}`,
    username: 'straceback',
    tls: { ca: 'ca.crt', cert: 'client.crt', key: 'client.key' },
  };
  const place = redisFrom(settings, { REDIS_PASSWORD: 'p@ss' }, folder, faults);
  expect(faults).toEqual([]);
  if (place === undefined) throw new Error('no place');
  await useEverything(place);
  // Without the authority nobody is believed to be the server.
  const stranger = openBotQueue({ redisUrl: { ...place, tls: {} }, log: silentLog });
  onTestFinished(() => stranger.close());
  expect(await stranger.healthy()).toBe(false);
});

test('settings that cannot work are all named', async () => {
  const folder = await folderForTest();
  await writeFile(join(folder, 'a.crt'), 'x');
  const faults: { path: readonly PropertyKey[]; message: string }[] = [];
  redisFrom({ url: 'redis://:pw@a', tls: { ca: 'none.crt', cert: 'a.crt' } }, {}, folder, faults);
  expect(faults.map(({ path }) => path.join('.')).sort()).toEqual(['tls', 'tls.ca', 'tls.cert', 'url']);
  expect(redisFrom({ username: 'x' }, {}, folder, faults)).toBeUndefined();
  expect(faults.at(-1)?.message).toContain('REDIS_URL');
});

test('a Redis Cluster of three', async () => {
  const folder = await folderForTest();
  const ports = await freePorts(6);
  const nodes = ports.slice(0, 3);
  const addresses = nodes.map((port) => `127.0.0.1:${port}`);
  const url = `redis+cluster://${addresses.join(',')}`;
  // Who comes before the cluster waits for it, unless it is told to end.
  const stopped = new AbortController();
  const given = untilClusterAnswers(url, silentLog, stopped.signal);
  stopped.abort();
  await given;
  const early = untilClusterAnswers(url, silentLog, new AbortController().signal);
  let answered = false;
  void early.then(() => {
    answered = true;
  });
  const servers = await Promise.all(
    nodes.map((port, index) =>
      serverForTest(folder, `node-${index}`, [
        `port ${port}`,
        `cluster-port ${ports[index + 3]}`,
        'cluster-enabled yes',
        `cluster-config-file nodes-${index}.conf`,
        'cluster-node-timeout 5000',
      ]),
    ),
  );
  expect(answered).toBe(false);
  await redisCli(nodes[0] ?? 0, '--cluster', 'create', ...addresses, '--cluster-yes');
  for (const port of nodes)
    await until('the cluster is whole', async () => (await redisCli(port, 'cluster', 'info')).includes('state:ok'));
  await early;
  await useEverything(url);
  // All of it is in one slot, so on one node.
  const sizes = await Promise.all(nodes.map(async (port) => Number(await redisCli(port, 'dbsize'))));
  expect(sizes.filter((size) => size > 0)).toHaveLength(1);
  // Both sides close and let their process end, with the cluster and without it.
  const [there, left] = [startProcess(CLOSING, [url]), startProcess(CLOSING, [url])];
  await Promise.all([there.says('ready'), left.says('ready')]);
  there.child.kill('SIGTERM');
  expect(await there.ended).toEqual([0, null]);
  await Promise.all(servers.map(({ kill }) => kill()));
  await left.says('lost');
  left.child.kill('SIGTERM');
  expect(await left.ended).toEqual([0, null]);
});

test('fail-overs by Sentinel in the middle of looks, planned and not: each is answered once', async () => {
  const folder = await folderForTest();
  const [one = 0, other = 0, watcher = 0] = await freePorts(3);
  const first = await serverForTest(folder, 'one', [`port ${one}`]);
  const second = await serverForTest(folder, 'other', [`port ${other}`, `replicaof 127.0.0.1 ${one}`]);
  const follows = (port: number) =>
    until('the replica follows', async () =>
      (await redisCli(port, 'info', 'replication')).includes('master_link_status:up'),
    );
  await follows(other);
  await serverForTest(
    folder,
    'sentinel',
    [
      `port ${watcher}`,
      `sentinel monitor ours 127.0.0.1 ${one} 1`,
      'sentinel down-after-milliseconds ours 500',
      'sentinel failover-timeout ours 2000',
    ],
    { sentinel: true, ready: '+slave slave' },
  );
  const place = readRedisUrl(`redis+sentinel://127.0.0.1:${watcher}/ours`);
  const slack = await slackForTest();
  const held = new Map<number, ReturnType<typeof arrival<void>>>();
  const begun = new Set<number>();
  workerForTest(place, async (request) => {
    begun.add(request.pid);
    await held.get(request.pid)?.promise;
    return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
  });
  const { queue } = await botForTest(slack, place);
  const pids: number[] = [];
  const ask = async (pid: number): Promise<void> => {
    // While nobody is master the queue takes nothing.
    await until('the queue takes work', () => queue.healthy(), 60);
    pids.push(pid);
    await slack.user('bob').slash('/diagnose', `web-7 ${pid}`, 'ops');
  };
  /** Has looks run, fails over, lets them end, and asks for another one. */
  const through = async (running: readonly number[], next: number, failOver: () => Promise<unknown>, to: number) => {
    const goOn = arrival<void>();
    for (const pid of running) held.set(pid, goOn);
    for (const pid of running) await ask(pid);
    await until('they run', () => running.every((pid) => begun.has(pid)), 60);
    await failOver();
    await until('the other one is master', async () => (await redisCli(to, 'role')).startsWith('master'), 60);
    goOn.arrive();
    await ask(next);
    await untilAnswered(slack, pids.length);
    await quiet(queue);
  };
  await through([7001, 7002], 7003, () => redisCli(watcher, 'sentinel', 'failover', 'ours'), other);
  await follows(one);
  await until('the sentinel knows it', async () => {
    const replicas = await redisCli(watcher, 'sentinel', 'replicas', 'ours');
    return replicas.includes(String(one)) && !/s_down|disconnected/.test(replicas);
  });
  await through([7011, 7012], 7013, second.kill, one);
  expectOneAnswerEach(slack, pids);
  expect(first.child.exitCode).toBeNull();
});
