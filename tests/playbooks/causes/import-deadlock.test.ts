import { describe, expect, it } from 'vitest';
import { importDeadlock } from '../../../playbooks/causes/import-deadlock.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, sayOf } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, lookNames, verdictOn } from '../../support/record-look.ts';

const cause = importDeadlock;
const probes = await loadProbes();

describe('fires', () => {
  it('on a module that joins, while it is imported, a thread which imports it', () => {
    const finding = firingOn(cause, 'import-deadlock/join');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(/^Import deadlock: the main thread imports `rates_config` and waits in `<module>`/);
    expect(quoted(finding)).toMatch(/rates_config\.py:14[\s\S]*importlib/);
    expect(finding.fixes[0]?.code).toContain('rates_config.start()');
  });

  it('on a pool that the body of a package waits for', () => {
    const finding = firingOn(cause, 'import-deadlock/pool');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.8);
    expect(finding.title).toContain('`plugin_set`');
  });
});

describe('is careful', () => {
  it('with an import that goes on: no more than a hint', () => {
    const finding = firstFinding(sayOf(cause, 'healthy/slow_import'));
    expect(finding.confidence).toBeLessThan(0.5);
    expect(finding.title).toMatch(/waits in .* until .* has imported `slow_tables`/);
  });

  it('with threads that wait for other things', () => {
    clearOn(cause, 'waiting-forever/nested-futures');
    clearOn(cause, 'thread-deadlock/two-accounts');
    clearOn(cause, 'healthy/thread_pool');
  });

  it('with an import lock that no thread of the process has', () => {
    const alone = changedLook(loadLook('import-deadlock/join'), 'py-stacks', (text) =>
      text.replaceAll('<module>', 'setup'),
    );
    expect(verdictOn(cause, alone, probes).verdict).toBe('clear');
  });

  it('cannot tell without stacks', () => {
    expect(cause.needs.map((probe) => probe.id)).toEqual(['py-stacks']);
    expect(sayOf(cause, 'import-deadlock/join', ['py-stacks']).verdict).toBe('cannot-tell');
  });
});

it('answers whatever became of the evidence', () => {
  expectNeverThrowsOn(cause, lookNames('import-deadlock'));
});
