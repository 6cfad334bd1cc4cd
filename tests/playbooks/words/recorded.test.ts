import { describe, expect, it } from 'vitest';
import { reportParts } from '../../../playbooks/report-parts.ts';
import { translated } from '../../../playbooks/words/index.ts';
import { recordedNames, recordedReport } from '../../support/recorded-reports.ts';
import { untranslatedIn } from '../../support/untranslated.ts';

/** Words of English outside code, quotes and parentheses with a name: where a Chinese sentence has two beside each other, something was left. */
const ENGLISH = /(?<![\w/.:-])[a-z]{2,} (?:[a-z]{2,} )*(?:and|of|in|the|is|are|that|to|with|it|for)(?![\w/.:-])/;

const reports = recordedNames().map((name) => ({ name, report: recordedReport(name) }));

describe('in Chinese', () => {
  it('everything that the recorded looks find, rule out and cannot tell has its text', () => {
    const missing = reports.flatMap(({ name, report }) => untranslatedIn(report, name));
    expect([...new Set(missing.map(({ cause, text }) => `${cause}: ${text}`))]).toEqual([]);
  });

  it('no English is left in what a reader sees, but code and evidence', () => {
    const left = reports.flatMap(({ name, report }) =>
      reportParts(report, 'zh').flatMap((part) => {
        if (part.kind === 'code' || part.kind === 'quotes') return [];
        const prose = part.text.replace(/`[^`]*`|"[^"]*"/g, '`');
        return ENGLISH.test(prose) ? [`${name}: ${part.text}`] : [];
      }),
    );
    expect(left).toEqual([]);
  });

  it('every name in code that stands in a finding stands in its translation', () => {
    const codes = (text: string) => [...text.matchAll(/`[^`]*`/g)].map(([each]) => each).sort();
    for (const { name, report } of reports)
      for (const { cause, title, summary } of report.findings)
        for (const text of [title, summary])
          expect(new Set(codes(translated(text, 'zh', cause).text)), `${name}: ${text}`).toEqual(new Set(codes(text)));
  });

  it('every number of a finding stands in its translation', () => {
    const numbers = (text: string) => new Set(text.match(/\d+(?:[.,]\d+)*/g));
    for (const { name, report } of reports)
      for (const { cause, title } of report.findings)
        expect(numbers(translated(title, 'zh', cause).text), `${name}: ${title}`).toEqual(numbers(title));
  });
});
