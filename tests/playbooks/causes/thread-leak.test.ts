import { describe, expect, it } from 'vitest';
import { threadLeak } from '../../../playbooks/causes/thread-leak.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, sayOf } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, lookNames, verdictOn } from '../../support/record-look.ts';

const cause = threadLeak;
const probes = await loadProbes();
const counted = (name: string, line: string) =>
  verdictOn(
    cause,
    changedLook(loadLook(name), 'children', (text) => text.replace(/^threads: .*$/m, line)),
    probes,
  );

describe('fires', () => {
  it('on threads that come and stay', () => {
    const finding = firingOn(cause, 'thread-leak/webhooks');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(/^\d+ threads, of which \d+ run `Sender\.deliver` .* more within/);
    expect(quoted(finding)).toMatch(/^threads: \d+ at first, \d+ at last, \d+ new/);
    expect(finding.summary).toContain('of address space for its stack');
    expect(finding.fixes.at(-1)?.code).toMatch(/ls \/proc\/\d+\/task/);
  });

  it('on thread pools that are made again and again', () => {
    const finding = firingOn(cause, 'thread-leak/pools');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.8);
    expect(finding.title).toContain('thread pools are alive');
    expect(finding.fixes[0]?.title).toBe('Make one executor and keep it');
  });

  it('with one link inferred when hundreds stand there that came over time, and none now', () => {
    const ages = Array.from({ length: 11 }, (_, index) => (index * 60).toFixed(1)).join(' ');
    const many = changedLook(loadLook('thread-leak/webhooks'), 'py-stacks', (text) => {
      const block = /^thread (\d+) "Thread-[\s\S]*?(?=^thread )/m.exec(text)?.[0] ?? '';
      const copies = Array.from({ length: 120 }, (_, index) =>
        block.replace(/^thread \d+/, `thread ${900_000 + index}`),
      );
      return text.replace(/^end$/m, `${copies.join('')}end`);
    });
    const steady = changedLook(many, 'children', (text) =>
      text.replace(/^threads: .*$/m, `threads: 200 at first, 200 at last, 0 new, 0 gone, ages ${ages}`),
    );
    const finding = firstFinding(verdictOn(cause, steady, probes));
    expect(finding.confidence).toBeGreaterThanOrEqual(0.5);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.summary).toContain('Not seen directly: ');
    const atStart = changedLook(many, 'children', (text) =>
      text.replace(/^threads: .*$/m, `threads: 200 at first, 200 at last, 0 new, 0 gone, ages${' 600.0'.repeat(11)}`),
    );
    expect(firstFinding(verdictOn(cause, atStart, probes)).confidence).toBeLessThan(0.5);
  });
});

describe('without Python', () => {
  const RELAY = 'thread-leak/relay';

  it('fires on threads that come all the time and all stand in one wait', () => {
    const finding = firingOn(cause, RELAY);
    expect(finding.confidence).toBe(0.8);
    expect(finding.title).toMatch(/^\d+ threads, of which \d+ wait in `futex`; \d+ more within/);
    expect(quoted(finding)).toMatch(/^threads: \d+ at first[\s\S]* in futex \d+ times/);
    expect(finding.fixes[0]?.code).toMatch(/^eu-stack -p \d+ /);
  });

  it('is a hint where they came all at once, as the threads of a pool do, or serve clients', () => {
    const confidence = (probe: string, change: (text: string) => string) =>
      firstFinding(verdictOn(cause, changedLook(loadLook(RELAY), probe, change), probes)).confidence;
    const ages = (text: string) => text.replace(/^(threads: .*ages).*$/m, `$1 0.1${' 9.0'.repeat(10)}`);
    expect(confidence('children', ages)).toBeLessThan(0.5);
    expect(confidence('sample', (text) => text.replaceAll('futex', 'recvfrom'))).toBeLessThan(0.5);
  });

  it('is clear of many that do not become more', () => {
    const verdict = counted(RELAY, `threads: 286 at first, 286 at last, 0 new, 0 gone, ages${' 9.0'.repeat(11)}`);
    expect(verdict).toMatchObject({ verdict: 'clear', why: expect.stringContaining('did not become more') });
  });

  it('cannot tell what few more are', () => {
    const verdict = counted(RELAY, `threads: 280 at first, 286 at last, 6 new, 0 gone, ages${' 9.0'.repeat(11)}`);
    expect(verdict).toMatchObject({ verdict: 'cannot-tell', why: expect.stringContaining('could not be read') });
  });
});

describe('is clear', () => {
  it('of a pool that is there from the start, and of one that grows to its size', () => {
    clearOn(cause, 'healthy/pool_of_many_threads');
    clearOn(cause, 'healthy/growing_pool');
  });

  it('when as many end as are started', () => {
    expect(counted('thread-leak/webhooks', 'threads: 60 at first, 61 at last, 40 new, 39 gone, ages 0.1').verdict).toBe(
      'clear',
    );
  });

  it('of few threads', () => {
    expect(counted('thread-leak/webhooks', 'threads: 5 at first, 9 at last, 4 new, 0 gone, ages 0.1').verdict).toBe(
      'clear',
    );
  });

  it.each(['healthy/thread_pool', 'waiting-forever/task-not-done'])('of %s', (name) => {
    expect(sayOf(cause, name).verdict).not.toBe('fires');
  });
});

it('cannot tell without a count, nor what new threads do without stacks', () => {
  expect(cause.needs.map((probe) => probe.id)).toEqual(['children']);
  expect(sayOf(cause, 'thread-leak/webhooks', ['children']).verdict).toBe('cannot-tell');
  expect(sayOf(cause, 'thread-leak/webhooks', ['py-stacks', 'py-bt']).verdict).toBe('cannot-tell');
});

it('answers whatever became of the evidence', () => {
  expectNeverThrowsOn(cause, lookNames('thread-leak'));
});
