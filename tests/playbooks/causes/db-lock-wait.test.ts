import { describe, expect, it } from 'vitest';
import { dbLockWait } from '../../../playbooks/causes/db-lock-wait.ts';
import { fileLockWait } from '../../../playbooks/causes/file-lock-wait.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, sayOf, untoldOn } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, lookNames, verdictOn } from '../../support/record-look.ts';

const cause = dbLockWait;
const probes = await loadProbes();

describe('fires', () => {
  it('on an exclusive transaction of SQLite, and names who has it', () => {
    const finding = firingOn(cause, 'db-lock-wait/ledger');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(
      /^Waits for the lock of the SQLite database `.*`, which process \d+ .*holds in a transaction/,
    );
    expect(quoted(finding)).toMatch(/F_SETLK.*EAGAIN[\s\S]*held by \d+/);
    expect(finding.related).toHaveLength(1);
    expect(finding.fixes.map((fix) => fix.code ?? '').join()).toContain('timeout=5');
  });

  it('on a writer in WAL mode, whose lock is in the file beside the database', () => {
    const finding = firingOn(cause, 'db-lock-wait/seats');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toContain('/seats.sqlite`');
    expect(finding.summary).toContain('WAL mode');
  });

  it('on a reader that keeps a writer from its commit', () => {
    const finding = firingOn(cause, 'db-lock-wait/retry_writer');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(quoted(finding)).toMatch(/F_WRLCK[\s\S]*POSIX READ held by/);
  });

  it('on a server that says itself that it waits, and names whose transaction is open', () => {
    const finding = firingOn(cause, 'db-lock-wait/stock_plain');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(
      /lock in the PostgreSQL database `postgres`, where the transaction of process \d+ is open/,
    );
    expect(quoted(finding)).toMatch(/does UPDATE waiting[\s\S]*does idle in transaction/);
    expect(finding.related).toHaveLength(2);
    expect(finding.fixes[0]?.code).toContain('pg_blocking_pids');
  });
});

describe('is less sure', () => {
  it('of a wait that had not begun at the beginning of the window', () => {
    const short = changedLook(loadLook('db-lock-wait/stock_plain'), 'databases', (text) =>
      text.replace('does UPDATE waiting, same before', 'does UPDATE waiting, before idle'),
    );
    expect(firstFinding(verdictOn(cause, short, probes)).confidence).toBeLessThan(0.5);
  });

  it('without the holder', () => {
    const finding = firingOn(cause, 'db-lock-wait/ledger', ['locks', 'host-locks']);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.5);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.summary).toContain('that one link is inferred');
  });
});

it('wants a trace when somebody has locked a database and a thread naps', () => {
  const untold = untoldOn(cause, 'db-lock-wait/ledger', ['strace', 'host-locks']);
  expect(untold.wants).toEqual(['strace', 'host-locks']);
});

describe('is clear', () => {
  it('of a slow query', () => {
    expect(clearOn(cause, 'healthy/slow_query')).toContain('no database server of this host waits');
  });

  it.each(lookNames('healthy'))('or gives a hint at most, on %s', (name) => {
    const verdict = sayOf(cause, name);
    for (const finding of verdict.verdict === 'fires' ? verdict.findings : [])
      expect(finding.confidence).toBeLessThan(0.5);
  });
});

it.each(lookNames('db-lock-wait'))('file-lock-wait leaves %s to it', (name) => {
  const verdict = sayOf(fileLockWait, name);
  expect(verdict.verdict === 'fires' ? verdict.findings : []).toEqual([]);
});

it('answers whatever became of the evidence', () => {
  expectNeverThrowsOn(cause, ['db-lock-wait/seats', 'db-lock-wait/stock_plain', 'healthy/sqlite_turns']);
});
