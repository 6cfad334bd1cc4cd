import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { examine, expectFinding, expectHealthy, pythons, startProgram } from '../../support/incident.ts';

const HERE = 'db-lock-wait';

const standing = async (program: string, args: readonly string[], python = '/usr/bin/python3') => {
  const live = await startProgram(`${HERE}/${program}`, { python, args });
  const [, pid, holder] = (await live.line(/^standing /)).split(' ');
  return { pid: Number(pid), holder: Number(holder) };
};

const withSqlite = (...versions: readonly string[]) =>
  pythons(...versions).filter((python) => spawnSync(python, ['-c', 'import sqlite3']).status === 0);

describe.each(withSqlite('3.8.18', '3.13.0'))('%s', (python) => {
  it('names the transaction that keeps a booking waiting', async () => {
    const { pid, holder } = await standing('audit.py', ['ledger.sqlite'], python);
    const finding = expectFinding(await examine(pid, { windowSeconds: 2 }), 'db-lock-wait', 0.9);
    expect(finding.title).toMatch(new RegExp(`SQLite database \`.*ledger.sqlite\`, which process ${holder} .*holds`));
    expect(finding.summary).toContain('book');
    expect(finding.related).toMatchObject([{ pid: holder }]);
  });
});

it('names the writer of a database in WAL mode, beside threads that go on', async () => {
  const { pid, holder } = await standing('seats.py', ['seats.sqlite']);
  const finding = expectFinding(await examine(pid, { windowSeconds: 2 }), 'db-lock-wait', 0.9);
  expect(finding.title).toMatch(/SQLite database `[^`]*seats\.sqlite`/);
  expect(finding.summary).toMatch(/seller.*WAL mode/);
  expect(finding.related).toMatchObject([{ pid: holder }]);
});

it('names the reader that keeps a commit waiting', async () => {
  const { pid, holder } = await standing('retry_writer.py', ['readings.sqlite']);
  const finding = expectFinding(await examine(pid, { windowSeconds: 2 }), 'db-lock-wait', 0.9);
  expect(finding.related).toMatchObject([{ pid: holder }]);
});

it('sees that another connection of the same process has the transaction open', async () => {
  const { pid } = await standing('notes.py', ['notes.sqlite']);
  const finding = expectFinding(await examine(pid, { windowSeconds: 2 }), 'db-lock-wait', 0.7);
  expect(finding.title).toMatch(/another connection of this very process holds: `.*notes\.sqlite`/);
  expect(finding.summary).toContain('saver');
});

it('does not mind writers that take turns', async () => {
  const { pid } = await standing('healthy_journal.py', ['journal.sqlite']);
  expectHealthy(await examine(pid, { windowSeconds: 2, playbook: 'fds' }));
});
