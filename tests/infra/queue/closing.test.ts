import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { redisForTest, startProcess } from '../../support/queue.ts';

const BOTH = fileURLToPath(new URL('./closing-process.ts', import.meta.url));

test.each(['there', 'away'])('with Redis %s both sides close and let their process end', async (redisIs) => {
  const redis = await redisForTest();
  const { child, says } = startProcess(BOTH, [redis.url]);
  await says('ready');
  if (redisIs === 'away') await redis.close();
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await says('closed');
  expect(await ended).toEqual([0, null]);
});
