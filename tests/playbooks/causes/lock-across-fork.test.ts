import { describe, expect, it } from 'vitest';
import { lockAcrossFork } from '../../../playbooks/causes/lock-across-fork.ts';
import { clearOn, expectHealthyOn, expectNeverThrowsOn, firingOn, quoted, sayOf } from '../../support/cause-tests.ts';
import { lookNames } from '../../support/record-look.ts';

const cause = lockAcrossFork;

describe('fires', () => {
  it('on an RLock whose owner is no thread of the worker', () => {
    const finding = firingOn(cause, 'lock-across-fork/rlock');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(
      /^A forked worker waits for a lock that stayed behind .*`Registry\.count` \(`\/srv\/svc\/metrics\.py:24`\)$/,
    );
    expect(finding.summary).toContain('it was forked, as its stack shows');
    expect(quoted(finding)).toMatch(/owner unknown[\s\S]*popen_fork\.py[\s\S]*parent \d+/);
    expect(finding.related).toHaveLength(1);
    expect(finding.fixes[1]?.code).toContain('os.register_at_fork');
  });

  it('on the mutex of a queue, with one link inferred', () => {
    const finding = firingOn(cause, 'lock-across-fork/queue');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.75);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.summary).toContain('through `Condition.__enter__`');
    expect(finding.summary).toContain('it has the command line of its parent');
    expect(finding.summary).toContain('Not seen directly: ');
  });

  it('less surely when nothing shows that the thread never had its turn', () => {
    expect(firingOn(cause, 'lock-across-fork/rlock', ['sample']).confidence).toBeLessThan(0.9);
  });
});

describe('native locks', () => {
  it('fires on a mutex that a thread of the parent has', () => {
    const finding = firingOn(cause, 'lock-across-fork/native');
    expect(finding.confidence).toBe(0.93);
    expect(finding.title).toMatch(
      /^A forked worker waits in .*codec_pool\.py:\d+.* for a native lock that stayed behind/,
    );
    expect(finding.related).toHaveLength(1);
  });

  it('is clear of one that was not forked', () => {
    clearOn(cause, 'thread-deadlock/native-mutexes');
    clearOn(cause, 'lock-across-fork/native', ['children']);
  });
});

it('cannot tell without Python stacks', () => {
  expect(cause.needs.map((probe) => probe.id)).toEqual(['py-stacks']);
  expect(sayOf(cause, 'lock-across-fork/rlock', ['py-stacks']).verdict).toBe('cannot-tell');
});

describe('is clear', () => {
  it('of a process that nothing says was forked', () => {
    expect(clearOn(cause, 'thread-deadlock/plain-acquire')).toContain('nothing says that the process was forked');
    clearOn(cause, 'lock-across-fork/queue', ['identify']);
  });

  it('of deadlocks in one process, forked or not', () => {
    clearOn(cause, 'thread-deadlock/two-accounts');
    clearOn(cause, 'signal-handler-deadlock/shared-lock');
    clearOn(cause, 'signal-handler-deadlock/plain-acquire');
  });

  it.each(lookNames('healthy'))('on %s', (name) => {
    expectHealthyOn(cause, name);
  });
});

it('answers whatever became of the evidence', () => {
  expectNeverThrowsOn(cause, ['lock-across-fork/rlock', 'lock-across-fork/queue']);
});
