import { describe, expect, it } from 'vitest';
import { zombieChildren } from '../../../playbooks/causes/zombie-children.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, sayOf } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, lookNames, verdictOn } from '../../support/record-look.ts';

const cause = zombieChildren;
const probes = await loadProbes();
const changed = (name: string, change: (text: string) => string) =>
  verdictOn(cause, changedLook(loadLook(name), 'children', change), probes);

describe('fires', () => {
  it('on children that are started and forgotten', () => {
    const finding = firingOn(cause, 'zombie-children/forgotten');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(/^\d+ children have ended and nobody waits for them \(all of them `sh`\)/);
    expect(quoted(finding)).toMatch(/^zombies: [\s\S]*zombie \d+: started/);
    expect(finding.fixes.at(-1)?.code).toMatch(/--ppid \d+/);
  });

  it('on a handler that fetches one child a signal', () => {
    const finding = firingOn(cause, 'zombie-children/one-a-signal');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.summary).toContain('It has a handler for SIGCHLD');
    expect(finding.fixes[0]?.code).toContain('os.WNOHANG');
  });

  it('on pid 1 of a container, which inherits orphans', () => {
    const finding = firstFinding(
      changed('zombie-children/forgotten', (text) =>
        text.replace(/pid in its namespace \d+/, 'pid in its namespace 1'),
      ),
    );
    expect(finding.fixes[0]?.code).toContain('--init');
    expect(finding.summary).toContain('pid 1');
  });
});

describe('is careful', () => {
  const few = (first: number, last: number) => (text: string) =>
    text
      .replace(/^zombies: .*$/m, `zombies: ${first} at first, ${last} at last, ${Math.min(first, last)} both times`)
      .replace(/^zombie \d+: .*\n/gm, '');

  it('with a few, which is a hint, and with one or two, which is nothing', () => {
    expect(firstFinding(changed('zombie-children/forgotten', few(4, 4))).confidence).toBeLessThan(0.5);
    expect(changed('zombie-children/forgotten', few(2, 2)).verdict).toBe('clear');
    expect(changed('zombie-children/forgotten', few(0, 9)).verdict).toBe('clear');
  });

  it('with a batch whose first is still waited for', () => {
    const verdict = sayOf(cause, 'healthy/in_turn');
    if (verdict.verdict === 'fires') expect(firstFinding(verdict).confidence).toBeLessThan(0.5);
  });

  it.each(['healthy/full_pipeline', 'healthy/job_queue_workers', 'pipe-deadlock/export'])('with %s', (name) => {
    clearOn(cause, name);
  });

  it('cannot tell without the relatives, or when the list breaks off before the dead', () => {
    expect(cause.needs.map((probe) => probe.id)).toEqual(['children']);
    expect(sayOf(cause, 'zombie-children/forgotten', ['children']).verdict).toBe('cannot-tell');
    expect(changed('zombie-children/forgotten', (text) => text.slice(0, text.indexOf('zombies: '))).verdict).toBe(
      'cannot-tell',
    );
  });
});

it('answers whatever became of the evidence', () => {
  expectNeverThrowsOn(cause, lookNames('zombie-children'));
});
