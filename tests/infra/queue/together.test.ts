import type { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../infra/log.ts';
import { closeRedis, openHurried, openPatient, type RedisClient, untilReady } from '../../../infra/queue/connection.ts';
import { redisForTest } from '../../support/queue.ts';

const READY_MS = 20_000;
const COMMANDS = 200;

/** How often Redis had to read until it had the commands of one turn, and what the last of them answered. */
const turn = async (redis: RedisClient, watcher: RedisClient, key: string) => {
  const reads = async () =>
    Number(/total_reads_processed:(\d+)/.exec(String(await watcher.call('INFO', 'stats')))?.[1]);
  const before = await reads();
  const answers = await Promise.all(Array.from({ length: COMMANDS }, () => redis.incr(key)));
  return { reads: (await reads()) - before, last: answers.at(-1) };
};

test.each([
  ['waits', (url: string) => openPatient(url, silentLog)],
  ['hurries', (url: string) => openHurried(url, silentLog)],
])(
  'what is asked in one turn is sent at once, in order, by a connection that %s, also when it came back',
  async (name, open) => {
    const { url } = await redisForTest();
    const [redis, watcher] = [open(url), openPatient(url, silentLog)];
    onTestFinished(() => Promise.all([redis, watcher].map(closeRedis)).then(() => undefined));
    await untilReady(redis, READY_MS);
    const first = await turn(redis, watcher, name);
    expect(first.last).toBe(COMMANDS);
    // One read takes 16 KiB, so that they are a few.
    expect(first.reads).toBeLessThan(COMMANDS / 10);
    const lost = new Promise((resolve) => (redis as Redis).once('close', resolve));
    await watcher.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await lost;
    await untilReady(redis, READY_MS);
    const second = await turn(redis, watcher, name);
    expect(second.last).toBe(2 * COMMANDS);
    expect(second.reads).toBeLessThan(COMMANDS / 10);
  },
);
