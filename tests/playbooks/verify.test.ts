import { expect, test } from 'vitest';
import type { Finding, Report } from '../../playbooks/model/index.ts';
import { partsText } from '../../playbooks/report-text.ts';
import { hasFault, type Verified, verified } from '../../playbooks/verify.ts';
import { healthyReport, sickReport, unclearReport } from '../support/reports.ts';

const finding = (cause: string, confidence: number): Finding => ({
  cause,
  confidence,
  title: `Title of ${cause}`,
  summary: '',
  evidence: [],
  fixes: [],
});
const before: Report = {
  ...sickReport,
  findings: [finding('thread-deadlock', 0.95), finding('fd-leak', 0.3)],
  figures: { rssKib: 300_000, cpuPercent: 0, threads: 9, fds: 90, ageSeconds: 9_000 },
};
/** The parts as text, without the breaks of its lines. */
const textOf = ({ parts }: Verified): string => partsText(parts).replace(/\n +|(?<=[a-z.])\n(?=[a-z])/g, ' ');

const at = (change: Partial<Report>): Report => ({
  ...healthyReport,
  target: { ...sickReport.target, pid: 7001, startTime: '999999' },
  figures: { rssKib: 100_000, cpuPercent: 4, threads: 5, fds: 30, ageSeconds: 900 },
  ...change,
});
const ruledOut = [{ cause: 'thread-deadlock', why: 'no thread waits for a lock' }];

test('a cause that is ruled out now is gone, with both looks side by side', () => {
  const done = verified(before, at({ ruledOut }), 'It is of the unit shop.service.');
  expect([done.verdict, done.title]).toEqual(['gone', 'Gone: `thread-deadlock`']);
  const text = textOf(done);
  expect(text).toContain('Looked at process 7001, which took the place of 6325. It is of the unit shop.service.');
  expect(text).toContain('no thread waits for a lock');
  expect(text).toMatch(/resident memory +293 MiB +98 MiB/);
  expect(text).toMatch(/threads +9 +5/);
  expect(text).not.toContain('say `verify`');
});

test('a young process is said to be young', () => {
  const young = at({ ruledOut, figures: { ageSeconds: 12 } });
  expect(textOf(verified(before, young, ''))).toContain('It is only 12 s old: say `verify`');
  const same = { ...young, target: before.target };
  expect(textOf(verified(before, same, ''))).not.toContain('say `verify`');
});

test('a cause that is found again is still there', () => {
  const { verdict, title } = verified(before, at({ findings: [finding('thread-deadlock', 0.92)] }), '');
  expect([verdict, title]).toEqual(['still', 'Still there: `thread-deadlock`']);
});

test('a cause that was not checked, or is a hint, cannot be told; and never counts as gone', () => {
  const unchecked = at({ findings: [], cannotTell: [{ cause: 'thread-deadlock', why: 'py-stacks: no permission' }] });
  const one = verified(before, unchecked, '');
  expect([one.verdict, one.title]).toEqual(['unknown', 'It cannot be told whether `thread-deadlock` is gone']);
  expect(textOf(one)).toContain('py-stacks: no permission');
  expect(verified(before, at({ findings: [finding('thread-deadlock', 0.4)] }), '').verdict).toBe('unknown');
  expect(verified(before, at({ findings: [], ruledOut: [], cannotTell: [] }), '').verdict).toBe('unknown');
});

test('what is new is said, and a look without a fault has nothing to verify', () => {
  const text = textOf(verified(before, at({ ruledOut, findings: [finding('fork-storm', 0.9)] }), ''));
  expect(text).toContain('New since then: `fork-storm`.');
  expect([hasFault(before), hasFault(healthyReport), hasFault(unclearReport)]).toEqual([true, false, false]);
  expect(verified(healthyReport, at({}), '').title).toBe('The look before found no cause that could be gone');
});
