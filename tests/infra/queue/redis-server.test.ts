import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { RedisNotStarted } from '../../../infra/queue/redis-not-started.ts';
import { startRedis } from '../../../infra/queue/redis-server.ts';
import { redisForTest } from '../../support/queue.ts';

const ask = async <T>(url: string, question: (redis: Redis) => Promise<T>): Promise<T> => {
  const redis = new Redis(url, { maxRetriesPerRequest: 0, retryStrategy: () => null });
  redis.on('error', () => undefined);
  try {
    return await question(redis);
  } finally {
    redis.disconnect();
  }
};

test('data survive a restart in the same folder', async () => {
  const redis = await redisForTest();
  await ask(redis.url, (client) => client.set('a', 'b'));
  await redis.close();
  await redis.restart();
  expect(await ask(redis.url, (client) => client.get('a'))).toBe('b');
});

test('it asks for its password, which only its owner can read', async () => {
  const redis = await redisForTest();
  await expect(ask(redis.url.replace(/:[^:]*@/, ':wrong@'), (client) => client.ping())).rejects.toThrow();
  expect((await stat(join(redis.folder, 'redis.conf'))).mode & 0o777).toBe(0o600);
});

test('it never makes room by forgetting', async () => {
  const redis = await redisForTest();
  const [policy, append] = await ask(redis.url, (client) =>
    Promise.all([client.config('GET', 'maxmemory-policy'), client.config('GET', 'appendonly')]),
  );
  expect([policy, append].flat()).toEqual(['maxmemory-policy', 'noeviction', 'appendonly', 'yes']);
});

test('a server that a killed run left behind is ended before another one opens its files', async () => {
  const left = await redisForTest();
  await ask(left.url, (client) => client.set('a', 'b'));
  const next = await startRedis({ folder: left.folder });
  onTestFinished(() => next.close());
  expect(next.pid).not.toBe(left.pid);
  expect(await ask(next.url, (client) => client.get('a'))).toBe('b');
  expect(() => process.kill(left.pid, 0)).toThrow();
});

test('a machine without redis-server is told what to do', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'straceback-redis-'));
  const { PATH } = process.env;
  onTestFinished(async () => {
    process.env.PATH = PATH;
    await rm(folder, { recursive: true });
  });
  process.env.PATH = folder;
  const starting = startRedis({ folder });
  await expect(starting).rejects.toBeInstanceOf(RedisNotStarted);
  await expect(starting).rejects.toThrow('apt-get install redis-server');
});

test('a folder that cannot be made is said, and what to do', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'straceback-redis-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'file'), '');
  const starting = startRedis({ folder: join(folder, 'file', 'redis') });
  await expect(starting).rejects.toBeInstanceOf(RedisNotStarted);
  await expect(starting).rejects.toThrow(
    `${join(folder, 'file', 'redis')}, where Redis is to keep its data, cannot be written (ENOTDIR): give another dataFolder`,
  );
});

test('a port that is taken is said', async () => {
  const redis = await redisForTest();
  const folder = await mkdtemp(join(tmpdir(), 'straceback-redis-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await expect(startRedis({ folder, port: redis.port })).rejects.toThrow(/in use/);
});
