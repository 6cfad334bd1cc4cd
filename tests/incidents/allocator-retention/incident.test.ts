import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Report } from '../../../playbooks/model/index.ts';
import { reportParts } from '../../../playbooks/report-parts.ts';
import { endPrograms, examine, expectFinding, headlines, pythons, startStanding } from '../../support/incident.ts';

const HERE = 'allocator-retention';
const WINDOW = { windowSeconds: 2.5 };
const TCMALLOC = '/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4';

const residentOf = (report: Report): number => {
  const line = report.findings
    .flatMap((finding) => finding.evidence)
    .find((quote) => /counters: resident/.test(quote.text));
  return Number(/resident (\d+)/.exec(line?.text ?? '')?.[1]);
};

describe('malloc keeps what was freed', () => {
  it.each(pythons('2.7.18'))('after the load of a threaded worker: %s', async (python) => {
    const { pid } = await startStanding(`${HERE}/offline.py`, { python });
    const finding = expectFinding(await examine(pid, WINDOW), HERE, 0.9);
    expect(finding.summary).toMatch(/\d+ MiB free in malloc \(\d+ %\)/);
    expect(finding.summary).toContain('arenas beside the main one');
  });

  it('in one heap, below something that lives', async () => {
    const { pid } = await startStanding(`${HERE}/report_builder.py`);
    const report = await examine(pid, WINDOW);
    const finding = expectFinding(report, HERE, 0.9);
    expect(finding.summary).toContain('main heap');
    expect(report.memory).toMatch(/^\d+ MiB resident: \d+ MiB free in malloc \(\d+ %\), /);
    expect(reportParts(report)).toContainEqual({ kind: 'note', text: `Memory: ${report.memory}` });
  });

  it.each(pythons('3.8.18').slice(-1))('one floor higher, in the arenas of Python itself: %s', async (python) => {
    const { pid } = await startStanding(`${HERE}/row_index.py`, { python });
    const finding = expectFinding(await examine(pid, WINDOW), HERE, 0.9);
    expect(finding.title).toContain("Python's allocator keeps");
    expect(finding.fixes[0]?.title).toContain('a process of its own');
  });

  it.skipIf(!existsSync(TCMALLOC))('and no more after the fix: a second look at the same load shows it', async () => {
    const sick = await startStanding(`${HERE}/thumbnail_service.py`);
    const report = await examine(sick.pid, WINDOW);
    const finding = expectFinding(report, HERE, 0.9);
    const code = finding.fixes[0]?.code ?? '';
    const [, library = '', other = ''] = /env LD_PRELOAD=(\S+) (\S+) /.exec(code) ?? [];
    expect(library).toBe(TCMALLOC);
    const before = residentOf(report);
    await endPrograms();

    const [name = '', value = ''] = other.split('=');
    const { pid } = await startStanding(`${HERE}/thumbnail_service.py`, {
      env: { LD_PRELOAD: library, [name]: value },
    });
    const second = await examine(pid, { ...WINDOW, playbook: 'memory' });
    expect(second.findings.map((each) => each.cause)).not.toContain(HERE);
    expect(second.ruledOut.find((each) => each.cause === HERE)?.why).toMatch(/heaps hold only|tcmalloc/);
    const after = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
    expect(after).toBeLessThan(before / 2);
  });
});

describe('memory that is large and sound', () => {
  it.each(['healthy_cache.py', 'healthy_batches.py', 'healthy_bursts.py', 'healthy_loader.py'])(
    '%s',
    async (program) => {
      const { pid } = await startStanding(`${HERE}/${program}`);
      const named = headlines(await examine(pid, WINDOW)).map((finding) => finding.cause);
      for (const cause of [HERE, 'native-memory-growth', 'swap-thrash']) expect(named).not.toContain(cause);
    },
  );
});
