import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { redisForTest, startProcess } from '../../support/queue.ts';

const BOTH = fileURLToPath(new URL('./closing-process.ts', import.meta.url));

test('both sides close and let their process end', async () => {
  const redis = await redisForTest();
  const { child, says } = startProcess(BOTH, [redis.url]);
  await says('ready');
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await says('closed');
  expect(await ended).toEqual([0, null]);
});
