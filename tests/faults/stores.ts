import { Redis } from 'ioredis';
import pg from 'pg';
import { SCHEMA } from '../../infra/history/schema.ts';
import { PREFIX, QUEUES } from '../../infra/queue/names.ts';
import type { Invariant } from './invariants.ts';

/** BullMQ keeps so many done messages of a queue at most; our own queues ask for it. */
const MOST_DONE = 2_000;

const count = async (redis: Redis, name: string): Promise<number> => {
  const kind = await redis.type(name);
  if (kind === 'list') return redis.llen(name);
  if (kind === 'zset') return redis.zcard(name);
  return kind === 'set' ? redis.scard(name) : 0;
};

/** Nothing waits in a queue, and whatever is kept beside them expires. */
export const redisOf = async (url: string): Promise<Invariant[]> => {
  const redis = new Redis(url);
  redis.on('error', () => undefined);
  try {
    const waiting: string[] = [];
    for (const queue of QUEUES) {
      for (const state of ['wait', 'active', 'delayed', 'paused', 'prioritized', 'waiting-children', 'failed']) {
        const there = await count(redis, `${PREFIX}:${queue}:${state}`);
        if (there > 0) waiting.push(`${queue}: ${there} ${state}`);
      }
      const done = await count(redis, `${PREFIX}:${queue}:completed`);
      if (done > MOST_DONE) waiting.push(`${queue}: ${done} done ones are kept`);
    }
    const own = await redis.keys(`${PREFIX}:own:*`);
    const lasting: string[] = [];
    for (const name of own) if ((await redis.ttl(name)) === -1) lasting.push(name);
    return [
      { name: 'Nothing waits in a queue', of: `${QUEUES.length} queues`, violations: waiting },
      { name: 'Whatever is noted in Redis expires', of: `${own.length} keys`, violations: lasting },
    ];
  } finally {
    redis.disconnect();
  }
};

/** How many looks the history has. */
export const keptLooks = async (url: string): Promise<readonly string[]> => {
  const client = new pg.Client(url);
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<{ id: string }>(`select id from ${SCHEMA}.looks`);
    return rows.map(({ id }) => id);
  } finally {
    await client.end();
  }
};

/** The history has each look that was answered, and no other. Pure. */
export const historyOf = (kept: readonly string[], answered: ReadonlySet<string>): Invariant => {
  const there = new Set(kept);
  return {
    name: 'History has each look once',
    of: `${answered.size} answered looks`,
    violations: [
      ...[...answered].filter((id) => !there.has(id)).map((id) => `${id} is missing`),
      ...(there.size === kept.length ? [] : [`${kept.length - there.size} rows are there twice`]),
    ],
  };
};
