import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { redisForTest, startProcess } from '../../support/queue.ts';

const BOTH = fileURLToPath(new URL('./closing-process.ts', import.meta.url));

// A Redis that goes in the very moment of closing can still keep BullMQ's connections waiting; hence the tries.
test.each(['there', 'away'])(
  'with Redis %s both sides close and let their process end',
  { timeout: 40_000, retry: 3 },
  async (redisIs) => {
    const redis = await redisForTest();
    const { child, says } = startProcess(BOTH, [redis.url]);
    await says('ready');
    if (redisIs === 'away') await redis.close();
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await says('closed');
    expect(await ended).toEqual([0, null]);
  },
);
