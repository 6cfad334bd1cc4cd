import { describe, expect, it } from 'vitest';
import { waitingForever } from '../../../playbooks/causes/waiting-forever.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, sayOf } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, lookNames, verdictOn } from '../../support/record-look.ts';

const cause = waitingForever;
const probes = await loadProbes();
const changed = (name: string, change: (text: string) => string) =>
  verdictOn(cause, changedLook(loadLook(name), 'children', change), probes);

describe('fires', () => {
  it('on a queue whose only producer has died', () => {
    const finding = firingOn(cause, 'waiting-forever/dead-producer');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.7);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.title).toMatch(
      /^The main thread waits in `Intake\.next_order` .* for an item of a queue, and no other thread is left/,
    );
    expect(finding.summary).toContain('Not seen directly: ');
    expect(finding.fixes[0]?.code).toContain('jobs.put(DONE)');
  });

  it('on a pool of which a worker was killed', () => {
    const finding = firingOn(cause, 'waiting-forever/pool-killed');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toContain('all workers are idle: the task was lost');
    expect(finding.summary).toMatch(/Worker \d+ is .* younger than the others/);
    expect(finding.fixes[0]?.code).toContain('ProcessPoolExecutor');
  });

  it('on a queue between processes whose producers were killed', () => {
    const finding = firingOn(cause, 'waiting-forever/dead-processes');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toContain('nobody is left who could write it');
    expect(quoted(finding)).toMatch(/pipe \d+: fd \d+ write[\s\S]*zombie \d+: .*signal 9/);
    expect(finding.related).toHaveLength(2);
  });

  it('on a connection whose other end only this process has', () => {
    const finding = firingOn(cause, 'waiting-forever/dead-answerer');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.fixes[0]?.code).toContain('theirs.close()');
  });

  it.each([
    ['task-not-done', /for all items of a queue to be marked as done, and every other thread waits too/, 'task_done'],
    ['no-sentinel', /for threads to end, having come to its own end/, 'jobs.put(None)'],
    ['nested-futures', /for a future to be done/, 'timeout'],
  ])('on %s, where all threads wait', (name, title, fix) => {
    const finding = firingOn(cause, `waiting-forever/${name}`);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.7);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.title).toMatch(title);
    expect(finding.fixes[0]?.code).toContain(fix);
  });
});

describe('is clear', () => {
  it('of a main thread that woke, and of one whose wait has a limit', () => {
    expect(
      changed('waiting-forever/dead-producer', (text) =>
        text.replace('woke 0 times, as before in futex', 'woke 4 times, as before in futex'),
      ).verdict,
    ).toBe('clear');
    expect(
      changed('waiting-forever/dead-producer', (text) =>
        text.replace(/futex\((\S+, \S+, \S+), 0x0,/, 'futex($1, 0x7ffd11112222,'),
      ).verdict,
    ).toBe('clear');
  });

  it('of a pool in which one works', () => {
    expect(
      changed('waiting-forever/pool-killed', (text) => text.replace(/as before in read\(/g, 'not before in read('))
        .verdict,
    ).toBe('clear');
    clearOn(cause, 'healthy/pool_at_work');
  });

  it('of a main thread that waits for the signal to stop', () => {
    clearOn(cause, 'healthy/stop_event');
    const verdict = sayOf(cause, 'healthy/bare_event');
    if (verdict.verdict === 'fires') expect(firstFinding(verdict).confidence).toBeLessThan(0.5);
  });

  it('of deadlocks over pipes', () => {
    for (const name of lookNames('pipe-deadlock')) expect(sayOf(cause, name).verdict, name).not.toBe('fires');
  });
});

it('is only a hint where a signal handler may wake it', () => {
  const verdict = changed('waiting-forever/dead-producer', (text) =>
    text.replace(/(process \d+ signals: caught )[0-9a-f]{16}/, '$10000000000000200'),
  );
  expect(firstFinding(verdict).confidence).toBeLessThan(0.5);
});

it('cannot tell without stacks, relatives or system calls', () => {
  expect(cause.needs.map((probe) => probe.id)).toEqual(['py-stacks', 'children']);
  expect(sayOf(cause, 'waiting-forever/dead-producer', ['py-stacks']).verdict).toBe('cannot-tell');
  expect(sayOf(cause, 'waiting-forever/dead-producer', ['children']).verdict).toBe('cannot-tell');
  expect(
    changed('waiting-forever/dead-producer', (text) =>
      text.replace(/(not|as) before in \w+\([^)]*\)/g, 'not before in an unreadable system call'),
    ).verdict,
  ).toBe('cannot-tell');
});

it('answers whatever became of the evidence', () => {
  expectNeverThrowsOn(cause, lookNames('waiting-forever').slice(0, 4));
});
