import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Report } from '../../playbooks/model/index.ts';
import { confidenceWords, headline, verdictOf } from '../../playbooks/report-parts.ts';
import { reportText } from '../../playbooks/report-text.ts';
import { anyReport } from '../support/any-report.ts';
import { healthyReport, hostileReport, sickReport, unclearReport } from '../support/reports.ts';

const golden = (name: string) => `../fixtures/reports/${name}.txt`;

test.each([
  ['sick', sickReport],
  ['healthy', healthyReport],
  ['unclear', unclearReport],
  ['hostile', hostileReport],
] as const)('the %s report reads as it did', async (name, report) => {
  await expect(reportText(report)).toMatchFileSnapshot(golden(name));
});

test('what a report comes to', () => {
  expect(verdictOf(sickReport).verdict).toBe('fault');
  expect(verdictOf(healthyReport).verdict).toBe('healthy');
  expect(verdictOf(unclearReport)).toEqual({ verdict: 'unclear', first: null });
  expect(headline(unclearReport)).toBe('No clear fault, one hint');
  expect(headline({ ...healthyReport, findings: [] })).toBe('No fault found');
});

test.each([
  [1, 'sure (100 %)'],
  [0.9, 'sure (90 %)'],
  [0.89, 'likely (89 %), one link is inferred'],
  [0.5, 'likely (50 %), one link is inferred'],
  [0.49, 'a hint (49 %)'],
])('confidence %s is %s', (confidence, words) => {
  expect(confidenceWords(confidence)).toBe(words);
});

// Newlines and the tabs of code are the only control characters.
const FORBIDDEN = /[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\p{Cs}]/u;

test('nothing from a host reaches a terminal as a control or direction character', () => {
  expect(reportText(hostileReport)).not.toMatch(FORBIDDEN);
  fc.assert(fc.property(anyReport, (report: Report) => !FORBIDDEN.test(reportText(report))));
});

test('prose keeps to the width of a terminal', () => {
  const literal = /^ {2}(\[E\d+:\d+\]|E\d+ )|^ {4}/;
  const long = reportText(sickReport)
    .split('\n')
    .filter((line) => line.length > 92 && !literal.test(line));
  expect(long).toEqual([]);
});

test('every finding, quote, fix and reason is in it', () => {
  const text = reportText(sickReport).replaceAll(/\s+/g, ' ');
  for (const finding of sickReport.findings) {
    expect(text).toContain(finding.title);
    expect(text).toContain(finding.cause);
    for (const quote of finding.evidence)
      expect(text).toContain(`[${quote.evidenceId}:${quote.line}] ${quote.text.trim()}`.replaceAll(/\s+/g, ' '));
    for (const fix of finding.fixes) expect(text).toContain(fix.title);
  }
  for (const { why } of [...sickReport.ruledOut, ...sickReport.cannotTell]) expect(text).toContain(why);
});

test('Chinese is wrapped by columns, without a line that begins with a closing mark', () => {
  const text = reportText(sickReport, 'zh');
  const wide = (line: string) =>
    [...line].reduce((sum, each) => sum + (/[\u2e80-\u9fff\uff00-\uff60]/.test(each) ? 2 : 1), 0);
  const prose = text.split('\n').filter((line) => /\p{Script=Han}/u.test(line));
  expect(prose.length).toBeGreaterThan(3);
  for (const line of prose) {
    expect(line).not.toMatch(/^\s*[，。；：、）]/);
    if (/ |\p{Script=Han}.*\p{Script=Han}/u.test(line)) expect(wide(line), line).toBeLessThanOrEqual(94);
  }
});
