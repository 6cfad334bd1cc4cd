import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { canFreeze, freeze, smallExt4, thaw } from '../../support/filesystems.ts';
import { examine, expectFinding, pythons, startStanding } from '../../support/incident.ts';
import { untilState } from '../../support/live-process.ts';

const HERE = 'io-stall';

describe.skipIf(!canFreeze)('a frozen file system', () => {
  it.each(pythons('3.8.18', '3.13.0'))('is named when a file cannot be made there: %s', async (python) => {
    const point = smallExt4();
    const { live, pid } = await startStanding(`${HERE}/archive.py`, { python, args: [point] });
    freeze(point);
    live.say('report');
    await untilState(pid, 'D');
    const finding = expectFinding(await examine(pid, { windowSeconds: 2 }), 'io-stall', 0.9);
    expect(finding.title).toContain('frozen file system');
    expect(finding.summary).toContain('Archive.store'.split('.').at(-1));
    thaw(point);
    await untilState(pid, 'S');
  });

  it('is named by the file of a thread, beside others that go on', async () => {
    const point = smallExt4();
    const { live, pid } = await startStanding(`${HERE}/journal_writer.py`, { args: [point] });
    freeze(point);
    live.say('go');
    const report = await examine(pid, { windowSeconds: 2 });
    const finding = expectFinding(report, 'io-stall', 0.9);
    expect(finding.title).toContain(point);
    expect(finding.summary).toMatch(/journal.*on `.*\/journal`/);
    expect(finding.fixes[0]?.code).toBe(`fsfreeze -u ${point}`);
    thaw(point);
  });

  it('is seen behind a page fault', async () => {
    const point = smallExt4();
    const { live, pid } = await startStanding(`${HERE}/score_table.py`, { args: [point] });
    freeze(point);
    live.say('go');
    await untilState(pid, 'D');
    const finding = expectFinding(await examine(pid, { windowSeconds: 2 }), 'io-stall', 0.8);
    expect(finding.summary).toContain('outside of any system call');
    thaw(point);
  });

  it('is no fault when it is only busy', async () => {
    const point = smallExt4();
    const { pid } = await startStanding(`${HERE}/healthy_commits.py`, { args: [point] });
    const report = await examine(pid, { windowSeconds: 2 });
    expect(report.findings.filter((each) => each.cause === 'io-stall' && each.confidence >= 0.5)).toEqual([]);
  });
});

it('does not take the parent of a child that has not execed yet for a stall', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-spawn-'));
  try {
    const { pid } = await startStanding(`${HERE}/slow_spawn.py`, { args: [folder] });
    await untilState(pid, 'D');
    const report = await examine(pid, { windowSeconds: 2 });
    expect(report.findings.filter((each) => each.cause === 'io-stall' && each.confidence >= 0.5)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
