import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { examine, expectFinding, expectHealthy, headlines, pythons, startStanding } from '../../support/incident.ts';

const HERE = 'pipe-deadlock';
const WINDOW = { windowSeconds: 2 };

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);

const [system = '', ...others] = pythons('3.8.18', '3.13.0');

describe.each([
  ['nightly_export.py', [], 0.9, 'Export.finish|finish'],
  ['nightly_export.py', ['shell'], 0.9, 'Export.finish|finish'],
  ['nightly_export.py', ['poll'], 0.9, 'Export.finish|finish'],
  ['spell_check.py', [], 0.9, 'check'],
  ['thumbnails.py', [], 0.9, 'main'],
  ['convert_media.py', [], 0.9, 'convert'],
  ['sort_names.py', [], 0.9, 'sort_names'],
  ['deploy_runner.py', [], 0.6, ''],
  ['deploy_runner.py', ['beside'], 0.6, ''],
] as const)('%s %s', (program, args, atLeast, place) => {
  it('is a deadlock over a pipe, named with its place', async () => {
    const python = others[program.length % Math.max(1, others.length)] ?? system;
    const { pid } = await startStanding(`${HERE}/${program}`, { args, python });
    const report = await examine(pid, WINDOW);
    const finding = expectFinding(report, 'pipe-deadlock', atLeast);
    expect(finding.title).toMatch(new RegExp(place));
    expect(finding.related?.length).toBeGreaterThan(0);
    expect(headlines(report).map((each) => each.cause)).toEqual(['pipe-deadlock']);
  });
});

it('is told from the child’s side too, and each report names the other', async () => {
  const { pid } = await startStanding(`${HERE}/nightly_export.py`);
  const [child = 0] = childrenOf(pid);
  const parents = expectFinding(await examine(pid, WINDOW), 'pipe-deadlock', 0.9);
  expect(parents.related?.map((each) => each.pid)).toEqual([child]);
  const report = expectFinding(await examine(child, WINDOW), 'pipe-deadlock', 0.9);
  expect(report.related?.map((each) => each.pid)).toEqual([pid]);
});

describe('healthy pipes', () => {
  it.each([
    ['healthy_pipeline.py', []],
    ['healthy_pipeline.py', ['slow']],
    ['healthy_pool.py', []],
  ] as const)('%s %s', async (program, args) => {
    const { pid } = await startStanding(`${HERE}/${program}`, { args });
    expectHealthy(await examine(pid, WINDOW));
    for (const child of childrenOf(pid).slice(0, 1)) expectHealthy(await examine(child, WINDOW));
  });
});
