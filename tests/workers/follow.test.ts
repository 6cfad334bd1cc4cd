import { describe, expect, it } from 'vitest';
import type { Finding } from '../../playbooks/model/index.ts';
import { reportParts } from '../../playbooks/report-parts.ts';
import { whomToFollow } from '../../workers/follow.ts';
import { nextEvent, numberOf } from '../support/events.ts';
import { examineFully, expectFinding, startProgram } from '../support/incident.ts';
import { untilState } from '../support/live-process.ts';
import { expectUnhurt, processState } from '../support/unhurt.ts';

const finding = (confidence: number, ...pids: readonly number[]): Finding => ({
  cause: 'file-lock-wait',
  confidence,
  title: 'Waits for a lock',
  summary: 'It waits.',
  evidence: [],
  fixes: [],
  related: pids.map((pid) => ({ pid, why: `it is ${pid}` })),
});

describe('whom to follow', () => {
  it('is whom findings point at, once each and not too many; not hints, and not the target', () => {
    const findings = [finding(0.95, 7, 10), finding(0.6, 10, 11, 12, 13), finding(0.4, 5)];
    expect(whomToFollow(findings, 7).map(({ pid }) => pid)).toEqual([10, 11, 12]);
  });
});

/** Starts two runs of a program: one that has a file lock, one that waits for it. */
const holderAndWaiter = async (): Promise<{ holder: number; waiter: number }> => {
  const program = 'file-lock-wait/nightly_report.py';
  const first = await startProgram(program, { args: ['export', 'lock'] });
  const holder = numberOf(await nextEvent(first, 'exporting'), 'pid');
  const second = await startProgram(program, { args: ['wait', `/proc/${holder}/cwd/lock`] });
  const waiter = numberOf(await nextEvent(second, 'locking'), 'pid');
  await untilState(waiter, 'S');
  return { holder, waiter };
};

describe('following', () => {
  it('looks at the holder of a lock without touching it, and shows the source of who waits', async () => {
    const { holder, waiter } = await holderAndWaiter();
    const before = await processState(holder);
    const { report, files } = await examineFully(waiter);
    await expectUnhurt(holder, before);

    expect(report.related).toMatchObject([{ pid: holder, failure: null, findings: [{ cause: 'healthy' }] }]);
    const theirs = report.evidence.filter((each) => each.pid === holder);
    expect(theirs.map((each) => each.probe)).toContain('py-stacks');
    expect(files.map((each) => each.id).sort()).toEqual(report.evidence.map((each) => each.id).sort());
    expect(new Set(files.map((each) => each.id)).size).toBe(files.length);

    const { source = [] } = expectFinding(report, 'file-lock-wait', 0.9);
    const [excerpt] = source;
    expect(excerpt?.file).toMatch(/nightly_report\.py$/);
    expect(excerpt?.lines.find((each) => each.line === excerpt.line)?.text).toMatch(/flock/);

    const said = reportParts(report).map((part) => ('text' in part ? part.text : ''));
    expect(said.some((text) => text.startsWith(`Process ${holder} (`))).toBe(true);
    expect(said.some((text) => text.startsWith(`Look at process ${holder} too`))).toBe(false);
  });
});
