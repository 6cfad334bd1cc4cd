import { beforeAll, describe, expect, it } from 'vitest';
import { threadDeadlock } from '../../../playbooks/causes/thread-deadlock.ts';
import type { Probe } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectHealthyOn, expectNeverThrowsOn, firingOn, quoted, sayOf } from '../../support/cause-tests.ts';
import { changedLook, loadLook, lookNames, type TakenLook, verdictOn } from '../../support/record-look.ts';

const cause = threadDeadlock;

let probes: ReadonlyMap<string, Probe>;
beforeAll(async () => {
  probes = await loadProbes();
});

const sayOn = (look: TakenLook) => verdictOn(cause, look, probes);

describe('fires', () => {
  it('on two threads with two locks, and names both orders', () => {
    const finding = firingOn(cause, 'thread-deadlock/two-accounts');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(
      /^Deadlock: thread \d+ \(`clerk-\d`\) in `Bank\.transfer` \(`\/srv\/svc\/transfers\.py:34`\) and thread \d+ \(`clerk-\d`\) in .* wait for each other's locks$/,
    );
    expect(finding.summary).toContain('2 more threads of the process wait for locks meanwhile');
    const waits = [...quoted(finding).matchAll(/waits for _thread\.lock at (0x[0-9a-f]+)/g)].map((match) => match[1]);
    const holds = [...quoted(finding).matchAll(/inside with _thread\.lock at (0x[0-9a-f]+)/g)].map((match) => match[1]);
    expect(waits).toHaveLength(2);
    expect(holds.toSorted()).toEqual(waits.toSorted());
    expect(finding.fixes[0]?.code).toContain('sorted((source, target), key=id)');
    expect(finding.fixes[1]?.code).toMatch(/^gcore .*\nkill -KILL \d+$/);
  });

  it('on a ring of three', () => {
    const finding = firingOn(cause, 'thread-deadlock/ring-of-three');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(/^Deadlock of 3 threads in a ring: .*`read`.*`clean`.*`store`/);
    expect(quoted(finding)).toMatch(/waits for _thread\.RLock at 0x[0-9a-f]+ owner \d+/);
  });

  it('on a thread that waits for itself', () => {
    const finding = firingOn(cause, 'thread-deadlock/callback');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(/^Deadlock with itself: `Store\.get` .* wants the lock that `Store\.set` .* holds$/);
    expect(finding.fixes[0]?.detail).toContain('threading.RLock');
  });

  it('on a thread that puts into a full queue inside of a lock that the reader of the queue wants', () => {
    const finding = firingOn(cause, 'thread-deadlock/full-queue');
    expect(finding.confidence).toBeGreaterThan(0.8);
    expect(finding.title).toMatch(
      /^Deadlock: thread \d+ \(`write`\) waits in `Queue\.put` while `Pipeline\.write` \(`[^`]*order_pipeline\.py:16`\) holds the lock that thread \d+ \(`read`\) waits for$/,
    );
    expect(quoted(finding)).toMatch(/inside with _thread\.lock at (0x[0-9a-f]+)[\s\S]*waits for _thread\.lock at \1/);
    // Workers that take turns at a queue are at rest: here the same function would wait for the lock.
    const turns = changedLook(loadLook('thread-deadlock/full-queue'), 'py-stacks', (text) =>
      text
        .replaceAll('Pipeline.read  ', 'Pipeline.write  ')
        .replaceAll('(def at 19)', '(def at 12)')
        .replace(/:21 {2}/g, ':16  '),
    );
    expect(sayOn(turns)).toMatchObject({ verdict: 'clear' });
    // Somebody who is awake may take from the queue.
    const awake = changedLook(loadLook('thread-deadlock/full-queue'), 'py-stacks', (text) =>
      text.replace(
        /^ {2}waits for .*\n( {2}stack .*\n) {4}Thread\._wait_for_tstate_lock {2}.*\n {4}Thread\.join {2}.*\n/m,
        '$1',
      ),
    );
    expect(sayOn(awake)).toMatchObject({ verdict: 'clear' });
  });

  it('with one link inferred where a lock was taken without a with', () => {
    const finding = firingOn(cause, 'thread-deadlock/plain-acquire');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.7);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.summary).toMatch(/Not seen directly: that thread \d+ \(`book`\) holds the lock/);
  });
});

describe('native locks', () => {
  const mutexes = (from: RegExp, to: string) =>
    sayOn(changedLook(loadLook('thread-deadlock/native-mutexes'), 'sample', (text) => text.replace(from, to)));

  it('fires on two threads with a mutex each, also where no Python stack can be read', () => {
    const finding = firingOn(cause, 'thread-deadlock/native-mutexes');
    expect(finding.confidence).toBe(0.97);
    expect(finding.title).toMatch(/^Deadlock: thread \d+ .*`Guarded\.lock`.* wait for each other's locks$/);
    expect(quoted(finding).match(/waits for the lock at 0x[0-9a-f]+, which thread \d+ has/g)).toHaveLength(2);
    const bare = firingOn(cause, 'thread-deadlock/native-mutexes', ['py-stacks']);
    expect(bare.title).toMatch(/^Deadlock: .* wait for each other's locks$/);
  });

  it('fires on an extension that waits with the interpreter lock', () => {
    const finding = firingOn(cause, 'thread-deadlock/native-and-gil');
    expect(finding.confidence).toBe(0.9);
    expect(finding.summary).toContain('for the interpreter lock (GIL), which ');
    expect(finding.fixes[0]?.code).toContain('Py_BEGIN_ALLOW_THREADS');
  });

  it('fires on a thread that waits for itself, unless a handler does', () => {
    const self = (blocked: string) =>
      mutexes(
        /^(thread (\d+) waits for the lock at 0x[0-9a-f]+), which thread \d+ has, and blocks signals that it handles: none$/m,
        `$1, which thread $2 has, and blocks signals that it handles: ${blocked}`,
      );
    expect(self('none')).toMatchObject({ verdict: 'fires' });
    expect(JSON.stringify(self('none'))).toContain('for a native lock that it has already');
    expect(self('10').verdict).toBe('clear');
  });

  it('is clear of a wait that ended, and of an owner that goes on', () => {
    expect(mutexes(/(thread \d+: .*)switches 0 voluntary/g, '$1switches 9 voluntary').verdict).toBe('clear');
    expect(mutexes(/which thread \d+ has/, 'which thread 1 has').verdict).toBe('clear');
    clearOn(cause, 'healthy/native_turns');
  });
});

it('cannot tell without Python stacks', () => {
  expect(sayOf(cause, 'thread-deadlock/two-accounts', ['py-stacks']).verdict).toBe('cannot-tell');
  expect(sayOf(cause, 'thread-deadlock/two-accounts', ['py-stacks', 'sample']).verdict).toBe('cannot-tell');
});

it('is asked wherever one of its two probes runs, and fires without samples', () => {
  expect([cause.needs, cause.needsOneOf?.map((probe) => probe.id)]).toEqual([[], ['sample', 'py-stacks']]);
  expect(sayOf(cause, 'thread-deadlock/two-accounts', ['sample']).verdict).toBe('fires');
});

describe('is clear', () => {
  it('of threads that queue for busy locks', () => {
    clearOn(cause, 'healthy/lock_heavy_threads');
  });

  it('of threads that wait for events, jobs and each other', () => {
    expect(clearOn(cause, 'healthy/idle_queue_threads')).toBe('no thread waited for one lock the whole time');
  });

  it('of a lock that a signal handler and the code under it want', () => {
    clearOn(cause, 'signal-handler-deadlock/thread-lock');
    clearOn(cause, 'signal-handler-deadlock/queue-mutex');
    clearOn(cause, 'signal-handler-deadlock/plain-acquire');
  });

  it('of a lock that stayed behind in a parent', () => {
    clearOn(cause, 'lock-across-fork/queue');
    clearOn(cause, 'lock-across-fork/rlock');
  });

  it.each(lookNames('healthy'))('on %s', (name) => {
    expectHealthyOn(cause, name);
  });
});

it('answers whatever became of the evidence', () => {
  expectNeverThrowsOn(cause, [
    'thread-deadlock/two-accounts',
    'thread-deadlock/ring-of-three',
    'thread-deadlock/callback',
  ]);
});
