import { describe, expect, it } from 'vitest';
import { inheritedSignalHandlers } from '../../../playbooks/causes/inherited-signal-handlers.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, sayOf } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, lookNames, verdictOn } from '../../support/record-look.ts';

const cause = inheritedSignalHandlers;
const probes = await loadProbes();

describe('fires', () => {
  it('on a worker that does to its siblings what its master does to its children', () => {
    const finding = firingOn(cause, 'inherited-signal-handlers/stops-siblings');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(
      /^A worker runs its master's signal handler `Master\.shutdown`.*sends SIGTERM to its sibling/,
    );
    expect(quoted(finding)).toMatch(/\[signal handler 15 SIGTERM\][\s\S]*kill\(\d+, SIGTERM\)[\s\S]*forked/);
    expect(finding.related?.length).toBeGreaterThanOrEqual(2);
  });

  it('on one that waits for siblings as if they were its children', () => {
    const finding = firingOn(cause, 'inherited-signal-handlers/waits-for-siblings');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toContain('asks again and again whether');
  });
});

describe('is careful', () => {
  it('without a trace: a hint, and it wants one', () => {
    const verdict = sayOf(cause, 'inherited-signal-handlers/stops-siblings', ['strace']);
    expect(firstFinding(verdict).confidence).toBeLessThan(0.5);
    expect(verdict.verdict === 'fires' && verdict.wants).toEqual(['strace']);
  });

  it('with equal masks alone: a hint that wants nothing', () => {
    const verdict = sayOf(cause, 'healthy/same_handlers');
    expect(firstFinding(verdict).confidence).toBeLessThan(0.5);
    expect(verdict.verdict === 'fires' && verdict.wants).toBe(undefined);
  });

  it('with workers that reset their handlers, and with one that called exec', () => {
    clearOn(cause, 'healthy/reset_handlers');
    const executed = changedLook(loadLook('healthy/same_handlers'), 'children', (text) =>
      text.replaceAll(', forked, ', ', executed, '),
    );
    expect(verdictOn(cause, executed, probes).verdict).toBe('clear');
  });

  it.each(['healthy/job_queue_workers', 'pipe-deadlock/queue-join', 'waiting-forever/pool-killed'])(
    'with %s',
    (name) => {
      clearOn(cause, name);
    },
  );

  it('cannot tell without the relatives', () => {
    expect(cause.needs.map((probe) => probe.id)).toEqual(['children']);
    expect(sayOf(cause, 'healthy/same_handlers', ['children']).verdict).toBe('cannot-tell');
  });
});

it('answers whatever became of the evidence', () => {
  expectNeverThrowsOn(cause, lookNames('inherited-signal-handlers'));
});
