import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { attend } from '../../../infra/health/attend.ts';
import { silentLog } from '../../../infra/log.ts';
import type { RedisPlace } from '../../../infra/queue/place.ts';
import { type RedisFault, redisFrom } from '../../../infra/redis-settings.ts';
import { botForTest, quiet, reportFor, slackForTest, workerForTest } from '../../support/bot.ts';
import { authority, CLIENT, certificate, LOOPBACK } from '../../support/certificates.ts';
import { expectOneAnswerEach, untilAnswered } from '../../support/one-answer.ts';
import { arrival } from '../../support/queue.ts';
import { folderForTest, freePorts, redisCli, type Started, serverForTest } from '../../support/redis-kinds.ts';
import { until } from '../../support/until.ts';

/** Two servers and three sentinels, nothing of which answers without TLS. */
const redisWithSentinels = async () => {
  const folder = await folderForTest();
  await authority(folder, 'ca');
  await certificate(folder, 'server', { by: 'ca', extension: LOOPBACK });
  await certificate(folder, 'elsewhere', { by: 'ca', extension: 'subjectAltName=DNS:redis.elsewhere' });
  await certificate(folder, 'client', { by: 'ca', extension: CLIENT });
  const [one = 0, other = 0, ...watchers] = await freePorts(5);
  const secure = (port: number, name: string) => [
    ...['port 0', `tls-port ${port}`, 'tls-replication yes', 'tls-auth-clients yes'],
    ...[`tls-cert-file ${name}.crt`, `tls-key-file ${name}.key`, 'tls-ca-cert-file ca.crt'],
  ];
  const files = ['--cacert', 'ca.crt', '--cert', 'client.crt', '--key', 'client.key'];
  const paths = files.map((word) => (word.startsWith('-') ? word : join(folder, word)));
  const cli = (port: number, ...words: string[]) => redisCli(port, '--tls', ...paths, ...words);
  /** Starts a server by this certificate, following the other one. */
  const follow = async (port: number, master: number, name: string): Promise<Started> => {
    const started = await serverForTest(folder, `server-${port}-${name}`, [
      ...secure(port, name),
      `replicaof 127.0.0.1 ${master}`,
    ]);
    await until('the replica follows', async () =>
      (await cli(port, 'info', 'replication')).includes('master_link_status:up'),
    );
    return started;
  };
  const first = await serverForTest(folder, 'first', secure(one, 'server'));
  const second = await follow(other, one, 'server');
  const sentinels: Started[] = [];
  for (const port of watchers) {
    const started = await serverForTest(
      folder,
      `sentinel-${port}`,
      [
        ...secure(port, 'server'),
        ...[`sentinel monitor ours 127.0.0.1 ${one} 2`, 'sentinel down-after-milliseconds ours 1000'],
        'sentinel failover-timeout ours 4000',
      ],
      { sentinel: true, ready: '+slave slave' },
    );
    sentinels.push(started);
  }
  /** These sentinels know each other and this replica, so that they can agree upon it. */
  const agreed = async (replica: number, there = watchers): Promise<void> => {
    for (const port of there)
      await until(
        'the sentinels agree',
        async () => {
          const [replicas, known] = await Promise.all([
            cli(port, 'sentinel', 'replicas', 'ours'),
            cli(port, 'sentinel', 'sentinels', 'ours'),
          ]);
          const each = there.filter((one) => one !== port).every((one) => known.includes(String(one)));
          return each && replicas.includes(String(replica)) && !/[so]_down|disconnected/.test(replicas);
        },
        120,
      );
  };
  await agreed(other);
  const faults: RedisFault[] = [];
  const place = redisFrom(
    {
      url: `rediss+sentinel://${watchers.map((port) => `127.0.0.1:${port}`).join(',')}/ours`,
      tls: { ca: 'ca.crt', cert: 'client.crt', key: 'client.key' },
    },
    {},
    folder,
    faults,
  );
  expect(faults).toEqual([]);
  if (place === undefined) throw new Error('no place');
  const isMaster = (port: number) =>
    until('it is master', async () => (await cli(port, 'role')).startsWith('master'), 120);
  return { one, other, watchers, sentinels, first, second, cli, follow, agreed, isMaster, place };
};

const Answer = z.object({ parts: z.object({ redis: z.object({ why: z.string() }) }) });

/** What /readyz says of Redis. */
const openHealth = async (redis: RedisPlace) => {
  const around = await attend({ health: { port: 0, address: '127.0.0.1' }, redis, version: '1', log: silentLog });
  onTestFinished(() => around.close());
  around.parts.tell('start', { ok: true, why: 'Up.' });
  return async (): Promise<{ status: number; why: string }> => {
    const answer = await fetch(`http://127.0.0.1:${around.port}/readyz`);
    return { status: answer.status, why: Answer.parse(await answer.json()).parts.redis.why };
  };
};

test('the master behind TLS is killed in the middle of looks: each is answered once, and no certificate is taken unread', async () => {
  const printed = vi.spyOn(console, 'error');
  onTestFinished(() => printed.mockRestore());
  const redis = await redisWithSentinels();
  const { one, other, place } = redis;
  const readyz = await openHealth(place);
  const slack = await slackForTest();
  const begun = new Set<number>();
  let goOn = arrival<void>();
  workerForTest(place, async (request) => {
    begun.add(request.pid);
    await goOn.promise;
    return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
  });
  const { queue } = await botForTest(slack, place);
  const pids: number[] = [];
  const ask = async (pid: number): Promise<void> => {
    await until('the queue takes work', () => queue.healthy(), 120);
    pids.push(pid);
    await slack.user('bob').slash('/diagnose', `web-7 ${pid}`, 'ops');
  };
  const running = async (...asked: readonly number[]): Promise<void> => {
    goOn = arrival();
    for (const pid of asked) await ask(pid);
    await until('they run', () => asked.every((pid) => begun.has(pid)), 120);
  };

  await running(8001, 8002);
  await redis.first.kill();
  await redis.isMaster(other);
  goOn.arrive();
  await ask(8003);
  await untilAnswered(slack, pids.length);
  await until('ready', async () => (await readyz()).status === 200);
  expectOneAnswerEach(slack, pids);

  // One of the sentinels goes, too, and the next master has a certificate by the same authority, for another machine.
  await redis.follow(one, other, 'elsewhere');
  await redis.sentinels[0]?.kill();
  await redis.agreed(one, redis.watchers.slice(1));
  await running(8011, 8012);
  await redis.second.kill();
  await redis.isMaster(one);
  goOn.arrive();
  const said = await until(
    'the new master is refused',
    async () => {
      const { status, why } = await readyz();
      return status === 503 && why.includes('certificate') ? why : null;
    },
    120,
  );
  expect(said).toMatch(
    /^Redis does not answer at .* \(its certificate is for another name; give that name in redis\.tls\.serverName, or the address in the certificate: .*\)\. Work waits until it does\.$/,
  );
  expect(said).toContain('127.0.0.1');
  expect((await redis.cli(one, 'client', 'list')).match(/lib-name=ioredis/g)).toBeNull();

  // It gets a certificate of its own, and all goes on.
  await redis.cli(one, 'config', 'set', 'tls-cert-file', 'server.crt', 'tls-key-file', 'server.key');
  await until('ready again', async () => (await readyz()).status === 200, 120);
  await ask(8013);
  await untilAnswered(slack, pids.length);
  await quiet(queue);
  expectOneAnswerEach(slack, pids);
  expect(printed).not.toHaveBeenCalled();
}, 300_000);
