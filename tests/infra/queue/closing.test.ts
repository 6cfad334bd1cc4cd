import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { redisForTest, startProcess } from '../../support/queue.ts';

const BOTH = fileURLToPath(new URL('./closing-process.ts', import.meta.url));

const started = async () => {
  const redis = await redisForTest();
  const { child, says, ended } = startProcess(BOTH, [redis.url]);
  await says('ready');
  return { redis, child, says, ended };
};

test('both sides close and let their process end', async () => {
  const { child, says } = await started();
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await says('closed');
  expect(await ended).toEqual([0, null]);
});

test('they do so when Redis is away', async () => {
  const { redis, child, says, ended } = await started();
  process.kill(redis.pid, 'SIGKILL');
  await says('lost');
  child.kill('SIGTERM');
  await says('closed');
  expect(await ended).toEqual([0, null]);
});

test.each(['before', 'after'] as const)(
  'they do so when Redis goes away in the very moment, a little %s',
  async (when) => {
    const { redis, child, says, ended } = await started();
    const away = () => process.kill(redis.pid, 'SIGKILL');
    if (when === 'before') away();
    child.kill('SIGTERM');
    if (when === 'after') {
      await says('closing');
      away();
    }
    await says('closed');
    expect(await ended).toEqual([0, null]);
  },
);
