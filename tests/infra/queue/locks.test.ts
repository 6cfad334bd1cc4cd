import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { editTurns } from '../../../infra/queue/edit-turns.ts';
import { key } from '../../../infra/queue/names.ts';
import { targetLock } from '../../../infra/queue/target-lock.ts';
import { arrival, redisForTest } from '../../support/queue.ts';

const clientFor = (url: string): Redis => {
  const redis = new Redis(url, { maxRetriesPerRequest: null });
  redis.on('error', () => undefined);
  onTestFinished(() => redis.disconnect());
  return redis;
};

const target = { host: 'web-7', pid: 6325, doing: 'a triage look' };

test('two looks at one process run one after the other, at two processes side by side', async () => {
  const { url } = await redisForTest();
  const [first, second] = [targetLock(clientFor(url)), targetLock(clientFor(url))];
  const [holding, release] = [arrival<void>(), arrival<void>()];
  const order: string[] = [];
  const one = first(target, async () => {
    holding.arrive();
    await release.promise;
    order.push('first ends');
  });
  await holding.promise;
  await second({ ...target, pid: 6326 }, async () => void order.push('other process'));
  const two = second(
    { ...target, doing: 'another', onWait: (doing) => release.arrive(void order.push(`waits for ${doing}`)) },
    async () => {
      order.push('second starts');
    },
  );
  await Promise.all([one, two]);
  expect(order).toEqual(['other process', 'waits for a triage look', 'first ends', 'second starts']);
});

test('whoever waits too long is told what runs', async () => {
  const { url } = await redisForTest();
  const lock = targetLock(clientFor(url));
  await lock(target, async () => {
    const waiting = lock({ ...target, waitMs: 20 }, async () => undefined);
    await expect(waiting).rejects.toMatchObject({ code: 'busy', message: expect.stringContaining('a triage look') });
  });
});

test('waiting ends when the look is ended', async () => {
  const { url } = await redisForTest();
  const lock = targetLock(clientFor(url));
  await lock(target, async () => {
    const stop = new AbortController();
    const waiting = lock({ ...target, signal: stop.signal, onWait: () => stop.abort() }, async () => undefined);
    await expect(waiting).rejects.toMatchObject({ code: 'interrupted' });
  });
});

test('what the look throws comes through, and the process is free again', async () => {
  const { url } = await redisForTest();
  const lock = targetLock(clientFor(url));
  await expect(lock(target, () => Promise.reject(new RangeError('x')))).rejects.toThrow(RangeError);
  expect(await lock({ ...target, waitMs: 0 }, async () => 'free')).toBe('free');
});

test('a lease is renewed while its holder lives', async () => {
  const { url } = await redisForTest();
  const redis = clientFor(url);
  await targetLock(redis)({ ...target, leaseMs: 300 }, async (lost) => {
    const name = key('lock', target.host, target.pid);
    const before = await redis.pttl(name);
    // Only a renewal makes the time that is left grow.
    await expect.poll(async () => (await redis.pttl(name)) > before - 50, { interval: 120, timeout: 5_000 }).toBe(true);
    expect(lost.aborted).toBe(false);
  });
});

test('a lease that somebody else took is lost, and is not given back', async () => {
  const { url } = await redisForTest();
  const redis = clientFor(url);
  const name = key('lock', target.host, target.pid);
  await targetLock(redis)({ ...target, leaseMs: 300 }, async (lost) => {
    await redis.set(name, 'another');
    await new Promise<void>((resolve) => lost.addEventListener('abort', () => resolve()));
  });
  expect(await redis.get(name)).toBe('another');
});

test('a lease that Redis forgot is taken again', async () => {
  const { url } = await redisForTest();
  const redis = clientFor(url);
  const name = key('lock', target.host, target.pid);
  await targetLock(redis)({ ...target, leaseMs: 300 }, async (lost) => {
    await redis.del(name);
    await expect.poll(() => redis.exists(name), { timeout: 5_000 }).toBe(1);
    expect(lost.aborted).toBe(false);
  });
});

test('without Redis for a whole lease the lock is lost', async () => {
  const redis = await redisForTest();
  const lock = targetLock(clientFor(redis.url));
  let reason: unknown;
  const look = lock({ ...target, leaseMs: 300 }, async (lost) => {
    await redis.close();
    await new Promise<void>((resolve) => lost.addEventListener('abort', () => resolve()));
    reason = lost.reason;
    await redis.restart();
  });
  await look;
  expect(reason).toBeDefined();
});

const message = { channel: 'C1', ts: '1.2', requestId: 'r1', requestedAt: 10 };

test('edits of one message: newest wins, final state stays', async () => {
  const { url } = await redisForTest();
  const turns = editTurns(clientFor(url), 1);
  const other = editTurns(clientFor(url), 1);
  const shown: string[] = [];
  const show = (what: string) => async () => void shown.push(what);
  await turns.progress(message, 2, show('two'));
  await other.progress(message, 1, show('one'));
  await other.progress(message, 2, show('two again'));
  await turns.progress(message, 3, show('three'));
  await other.final(message, show('final'));
  await turns.progress(message, 4, show('four'));
  await turns.final(message, show('final again'));
  expect(shown).toEqual(['two', 'three', 'final', 'final again']);
});

test('the final state waits for an edit that is being made, over all bots', async () => {
  const { url } = await redisForTest();
  const [turns, other] = [editTurns(clientFor(url), 1), editTurns(clientFor(url), 1)];
  const [editing, goOn] = [arrival<void>(), arrival<void>()];
  const shown: string[] = [];
  const progress = turns.progress(message, 1, async () => {
    editing.arrive();
    await goOn.promise;
    shown.push('progress');
  });
  await editing.promise;
  const redis = clientFor(url);
  const final = other.final(message, async () => void shown.push('final'));
  await expect.poll(() => redis.exists(key('final', 'r1'))).toBe(1);
  goOn.arrive();
  await Promise.all([progress, final]);
  expect(shown).toEqual(['progress', 'final']);
});

test('an older request in the same thread does not write over a newer one', async () => {
  const { url } = await redisForTest();
  const turns = editTurns(clientFor(url), 1);
  const shown: string[] = [];
  await turns.progress({ ...message, requestId: 'r2', requestedAt: 20 }, 1, async () => void shown.push('newer'));
  await turns.final(message, async () => void shown.push('older'));
  expect(shown).toEqual(['newer']);
});

test('a failed edit gives the turn back', async () => {
  const { url } = await redisForTest();
  const turns = editTurns(clientFor(url), 1);
  const edit = () => Promise.reject(new Error('500'));
  await expect(turns.progress(message, 1, edit)).rejects.toThrow('500');
  const shown: string[] = [];
  await turns.final(message, async () => void shown.push('final'));
  expect(shown).toEqual(['final']);
});
