import { describe, expect, it } from 'vitest';
import { canMount, smallTmpfs } from '../../support/filesystems.ts';
import { examine, expectFinding, pythons, startStanding } from '../../support/incident.ts';

const HERE = 'disk-full';

describe.skipIf(!canMount)('a file system without room', () => {
  it.each(pythons('3.8.18', '3.12.1'))('is named, with the file and the thread that writes: %s', async (python) => {
    const point = smallTmpfs('size=512k');
    const { pid } = await startStanding(`${HERE}/event_log.py`, { python, args: [point] });
    const finding = expectFinding(await examine(pid, { windowSeconds: 2 }), 'disk-full', 0.9);
    expect(finding.title).toBe(`Cannot write: no space is left on \`${point}\``);
    expect(finding.summary).toMatch(/`write` failed with ENOSPC on `.*events\.log`/);
    expect(finding.summary).toContain('collector');
  });

  it('is told from one without inodes, though nothing is open there', async () => {
    const point = smallTmpfs('size=4m,nr_inodes=40');
    const { pid } = await startStanding(`${HERE}/session_files.py`, { args: [point] });
    const finding = expectFinding(await examine(pid, { windowSeconds: 2 }), 'disk-full', 0.9);
    expect(finding.title).toBe(`Cannot write: no inode is left on \`${point}\``);
    expect(finding.fixes[0]?.code).toContain('du --inodes');
  });

  it('is found behind a database, and the deleted file that takes the room', async () => {
    const point = smallTmpfs('size=1m');
    const { pid } = await startStanding(`${HERE}/measurements.py`, { args: [point] });
    const finding = expectFinding(await examine(pid, { windowSeconds: 2 }), 'disk-full', 0.9);
    expect(finding.summary).toMatch(/export\.tmp`, deleted/);
    expect(finding.fixes.map((fix) => fix.title).join()).toContain('Deleted files still take');
  });

  it('is no fault when the program makes room in time', async () => {
    const point = smallTmpfs('size=1m');
    const { pid } = await startStanding(`${HERE}/healthy_spool.py`, { args: [point] });
    const report = await examine(pid, { windowSeconds: 2, playbook: 'fds' });
    expect(report.findings.filter((each) => each.cause === 'disk-full' && each.confidence >= 0.5)).toEqual([]);
  });
});
