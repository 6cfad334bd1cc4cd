import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canRun, examine, expectFinding, expectHealthy, startStanding } from '../../support/incident.ts';

const PERL = '/usr/bin/perl';
const GCC = '/usr/bin/gcc';
/** `cpu` traces in any case; with `stops` the C stacks are read and the states of the thread compared. */
const LOOK = { playbook: 'cpu', windowSeconds: 2, allow: ['stops'] } as const;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'straceback-native-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Compiles a program that lies beside this file, and gives the executable's path. */
const compiled = (name: string): string => {
  const file = path.join(folder, name);
  const { status, stderr } = spawnSync(GCC, ['-O2', '-o', file, path.join(import.meta.dirname, `${name}.c`)]);
  expect(status, String(stderr)).toBe(0);
  return file;
};

const expectRound = async (pid: number): Promise<ReturnType<typeof expectFinding>> => {
  const report = await examine(pid, LOOK);
  const finding = expectFinding(report, 'busy-loop', 0.7);
  // It is held for one look after the other: what the report tells is the longest of them, and not how long the step took.
  const watched = report.impact.steps.find(({ probe }) => probe === 'native-motion')?.seconds ?? 0;
  expect(report.impact.longestStallMs).toBeGreaterThan(0);
  expect(report.impact.longestStallMs).toBeLessThan(watched * 1000);
  expect(finding.confidence).toBeLessThanOrEqual(0.8);
  expect(finding.title).toContain('without getting anywhere');
  expect(finding.summary).toMatch(/came back \d+ times to exactly a state/);
  expect(finding.summary).toContain('Inferred: ');
  expect(finding.evidence.map((quote) => quote.text).join('\n')).toMatch(/^states: .* came back to one/m);
  return finding;
};

describe.skipIf(!canRun(GCC))('a program in C', () => {
  it('that searches a full table for what is not in it goes round', async () => {
    const { pid } = await startStanding(compiled('full_table'), { by: [] });
    const finding = await expectRound(pid);
    expect(finding.title).toMatch(/find_slot|full_table/);
    expect(finding.summary).toContain('strace saw not a single system call');
  });

  it('that multiplies matrices is given no fault', async () => {
    const { pid } = await startStanding(compiled('healthy_matrix'), { by: [] });
    expectHealthy(await examine(pid, LOOK));
  });
});

describe.skipIf(!canRun(PERL))('a program in Perl', () => {
  it('that goes round a plan for a step that is not in it goes round', async () => {
    const { pid } = await startStanding('busy-loop/plan_step.pl', { by: [PERL] });
    expect((await expectRound(pid)).title).toMatch(/Perl_|perl/);
  });
});

describe('a program in JavaScript', () => {
  it('that waits for callbacks without giving them a turn goes round', async () => {
    const { pid } = await startStanding('busy-loop/free_worker.js', { by: [process.execPath] });
    const finding = await expectRound(pid);
    expect(finding.summary).toMatch(/none of the \d+ other threads, which slept/);
  });

  it.each(['healthy_digest', 'healthy_compress'])('%s is given no fault', async (name) => {
    const { pid } = await startStanding(`busy-loop/${name}.js`, { by: [process.execPath] });
    expectHealthy(await examine(pid, LOOK));
  });
});
