import { describe, expect, it } from 'vitest';
import { pipeDeadlock } from '../../../playbooks/causes/pipe-deadlock.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, sayOf } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, lookNames, verdictOn } from '../../support/record-look.ts';

const cause = pipeDeadlock;
const probes = await loadProbes();

describe('fires', () => {
  it('on a parent that waits for a child whose output it does not read', () => {
    const finding = firingOn(cause, 'pipe-deadlock/export');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(
      /^Deadlock over a pipe: this process waits for process \d+ .*full pipe.*`Export\.finish`/,
    );
    expect(quoted(finding)).toMatch(/wait4[\s\S]*write\(0x1, .* on pipe:\[(\d+)\][\s\S]*pipe \1: fd \d+ read/);
    expect(finding.related).toHaveLength(1);
    expect(finding.fixes.map((fix) => fix.title).join()).toContain('communicate()');
    expect(finding.fixes[1]?.code).toMatch(/^timeout 60 cat \/proc\/\d+\/fd\/\d+ > \/var\/tmp\/pipe-\d+\.out$/);
  });

  it('on the child, and names the parent', () => {
    const finding = firingOn(cause, 'pipe-deadlock/export-child');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(
      /^Deadlock over a pipe: process \d+ \(`python3`\) waits for this process, which is blocked/,
    );
    expect(finding.related?.[0]?.why).toContain('does not read');
  });

  it('on a task that awaits a child which is blocked, while another task goes on', () => {
    const finding = firingOn(cause, 'pipe-deadlock/asyncio-beside');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.6);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.summary).toContain('Not seen directly: ');
  });

  it('on two that both write', () => {
    const finding = firingOn(cause, 'pipe-deadlock/checker');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(/each write into a full pipe that the other does not read/);
  });

  it('on workers that are joined before their queue is emptied', () => {
    const finding = firingOn(cause, 'pipe-deadlock/queue-join');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.fixes[0]?.title).toContain('before joining');
  });

  it('on a child that waits for the end of its input', () => {
    const finding = firingOn(cause, 'pipe-deadlock/open-stdin');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toContain('waits for the end of its input, held open by this process');
    expect(finding.fixes[0]?.code).toContain('process.stdin.close()');
  });

  it('on a parent that only asks whether the child has ended, once a trace shows it', () => {
    expect(firingOn(cause, 'pipe-deadlock/export-polled').confidence).toBeGreaterThanOrEqual(0.9);
    const verdict = sayOf(cause, 'pipe-deadlock/export-polled', ['strace']);
    expect(firstFinding(verdict).confidence).toBeLessThan(0.5);
    expect(verdict.verdict === 'fires' && verdict.wants).toEqual(['strace']);
  });

  it('with one link inferred on a loop that sleeps', () => {
    const finding = firingOn(cause, 'pipe-deadlock/asyncio-wait');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.5);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.summary).toContain('Not seen directly: ');
  });
});

describe('is clear', () => {
  it('of a writer that went on in between', () => {
    const moved = changedLook(loadLook('pipe-deadlock/export'), 'children', (text) =>
      text.replace(/woke 0 times, as before in write/, 'woke 9 times, as before in write'),
    );
    expect(verdictOn(cause, moved, probes).verdict).toBe('clear');
  });

  it('of a pipe that another process, which works, could read: then it is no certainty', () => {
    const shared = changedLook(loadLook('pipe-deadlock/export'), 'children', (text) => {
      const inode = /on pipe:\[(\d+)\]/.exec(text)?.[1];
      return text.replace(
        'zombies: 0',
        `process 999999: sibling, parent 1, depth 1, state R then R, 1.00 s old, 1 threads, executed, "busy", busy\nprocess 999999 pipe ${inode}: fd 7 read\nzombies: 0`,
      );
    });
    const finding = firstFinding(verdictOn(cause, shared, probes));
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.summary).toContain('Not seen directly: ');
  });

  it('of pipes that move, and of workers that wait for work', () => {
    clearOn(cause, 'healthy/full_pipeline');
    clearOn(cause, 'healthy/job_queue_workers');
  });

  it('and gives no more than a hint for a slow reader', () => {
    const verdict = sayOf(cause, 'healthy/slow_reader');
    if (verdict.verdict === 'fires') expect(firstFinding(verdict).confidence).toBeLessThan(0.5);
  });
});

it('cannot tell without the relatives', () => {
  expect(cause.needs.map((probe) => probe.id)).toEqual(['children']);
  expect(sayOf(cause, 'pipe-deadlock/export', ['children']).verdict).toBe('cannot-tell');
  const hidden = changedLook(loadLook('pipe-deadlock/export'), 'children', (text) =>
    text.replace(/(not|as) before in \w+\([^)]*\)/g, 'not before in an unreadable system call'),
  );
  expect(verdictOn(cause, hidden, probes).verdict).toBe('cannot-tell');
});

it('answers whatever became of the evidence', () => {
  expectNeverThrowsOn(cause, lookNames('pipe-deadlock'));
});
