import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Finding, Report, ReportFigures } from '../../playbooks/model/index.ts';
import { reportDiff } from '../../playbooks/report-diff.ts';
import { diffHeadline, reportDiffParts } from '../../playbooks/report-diff-parts.ts';
import { partsText } from '../../playbooks/report-text.ts';
import { anyReport } from '../support/any-report.ts';
import { healthyReport, sickReport } from '../support/reports.ts';

const finding = (cause: string, confidence = 0.95, title = `A ${cause}`): Finding => ({
  cause,
  confidence,
  title,
  summary: '',
  evidence: [],
  fixes: [],
});

const look = (change: Partial<Report>): Report => ({
  ...sickReport,
  findings: [],
  ruledOut: [],
  cannotTell: [],
  ...change,
});
const earlier = (change: Partial<Report>) => look({ startedAt: '2024-05-01T12:00:00.000Z', ...change });
const later = (change: Partial<Report>) => look({ startedAt: '2024-05-01T12:10:00.000Z', id: 'r-later', ...change });

describe('findings', () => {
  it('come, go with the reason, stay, or were not checked', () => {
    const diff = reportDiff(
      earlier({ findings: ['fd-leak', 'busy-loop', 'io-stall', 'dns-stall'].map((cause) => finding(cause)) }),
      later({
        findings: [finding('thread-leak'), finding('busy-loop', 0.6)],
        ruledOut: [{ cause: 'fd-leak', why: '12 descriptors all the while' }],
        cannotTell: [{ cause: 'io-stall', why: 'no sample' }],
      }),
    );
    expect(diff.came.map(({ cause }) => cause)).toEqual(['thread-leak']);
    expect(diff.went).toMatchObject([{ finding: { cause: 'fd-leak' }, why: '12 descriptors all the while' }]);
    expect(diff.unchecked.map(({ finding: { cause }, why }) => [cause, why])).toEqual([
      ['io-stall', 'no sample'],
      ['dns-stall', `the playbook ${sickReport.playbook} does not look for it`],
    ]);
    expect(diff.stayed).toMatchObject([
      { cause: 'busy-loop', before: { confidence: 0.95 }, after: { confidence: 0.6 } },
    ]);
    expect(diffHeadline(diff)).toBe('Compared: 1 finding new, 1 gone, 2 not checked and 1 as before');
    const text = partsText(reportDiffParts(diff));
    expect(text).toContain('A fd-leak (`fd-leak`, sure (95 %)). Ruled out now: 12 descriptors all the while');
    expect(text).toContain('A busy-loop (`busy-loop`, 95 % before, 60 % now)');
    expect(text).toContain('10 min later');
  });

  it('of one cause are told apart by their titles, and one whose figures changed is the same one', () => {
    const two = [finding('file-lock-wait', 0.9, 'Waits for a'), finding('file-lock-wait', 0.9, 'Waits for b')];
    const [a, b] = two;
    const swapped = reportDiff(earlier({ findings: two }), later({ findings: [...two].reverse() }));
    expect(swapped.stayed.map((pair) => [pair.before.title, pair.after.title])).toEqual([
      [a?.title, a?.title],
      [b?.title, b?.title],
    ]);
    const one = reportDiff(
      earlier({ findings: two }),
      later({ findings: [finding('file-lock-wait', 0.9, 'Waits for b')] }),
    );
    expect(one.stayed.map(({ after: { title } }) => title)).toEqual(['Waits for b']);
    expect(one.went).toMatchObject([{ finding: { title: 'Waits for a' }, why: null }]);
    const grew = reportDiff(
      earlier({ findings: [finding('fd-leak', 0.9, '120 sockets')] }),
      later({ findings: [finding('fd-leak', 0.9, '220 sockets')] }),
    );
    expect(grew).toMatchObject({ came: [], went: [], stayed: [{ after: { title: '220 sockets' } }] });
    expect(partsText(reportDiffParts(grew))).toContain('220 sockets (`fd-leak`, still 90 %). Before: 120 sockets');
  });

  it('healthy is no finding', () => {
    const diff = reportDiff(
      earlier({ findings: [finding('busy-loop')] }),
      later({ findings: healthyReport.findings, ruledOut: [{ cause: 'busy-loop', why: 'it sleeps' }] }),
    );
    expect(diff).toMatchObject({ came: [], stayed: [], went: [{ why: 'it sleeps' }] });
  });
});

describe('figures', () => {
  const figures = (more: ReportFigures): ReportFigures => ({ fdLimit: 1024, ageSeconds: 5, ...more });

  it('are compared where both looks have them', () => {
    const diff = reportDiff(
      earlier({ figures: figures({ rssKib: 102_400, threads: 8, cpuPercent: 3.5, sockets: 4 }) }),
      later({ figures: figures({ rssKib: 153_600, threads: 8, cpuPercent: 101.2, fds: 40 }) }),
    );
    const text = partsText(reportDiffParts(diff));
    expect(text).toMatch(/resident memory +100 MiB +150 MiB +\+50 MiB \(\+50 %\)/);
    expect(text).toMatch(/threads +8 +8 +as before/);
    expect(text).toMatch(/CPU +3\.5 % +101\.2 % +\+97\.7 %/);
    expect(text).not.toContain('descriptors');
    expect(text).not.toContain('sockets');
    expect(text).not.toContain('age ');
    expect(diffHeadline(diff)).toBe('Compared: no findings, only figures');
  });

  it('are absent in reports of earlier versions', () => {
    const diff = reportDiff(earlier({ figures: undefined }), later({ figures: figures({ threads: 1 }) }));
    expect(diff.figures).toEqual([]);
    expect(diffHeadline(diff)).toBe('Compared: nothing to tell apart');
  });

  it('of a heap are told by type, most growth first and what shrank last', () => {
    const type = (name: string, objects: number, bytes: number) => ({ name, objects, bytes, tableBytes: 0 });
    const many = Array.from({ length: 40 }, (_, at) => type(`t${at}`, 1, at));
    const diff = reportDiff(earlier({}), later({}), {
      before: { complete: true, types: [type('dict', 10, 1_000), type('gone', 5, 9_000), type('same', 1, 1)] },
      after: {
        complete: true,
        types: [type('dict', 3_010, 900_000), type('Order', 3_000, 300_000), type('same', 1, 1), ...many],
      },
    });
    const names = diff.types.map(({ type: name }) => name);
    expect(names.slice(0, 2)).toEqual(['dict', 'Order']);
    expect(names.at(-1)).toBe('gone');
    expect(names).not.toContain('same');
    const text = partsText(reportDiffParts(diff));
    expect(text).toMatch(/dict +10 +3,010 +\+878 KiB/);
    expect(text).toMatch(/gone +5 +0 +-8\.8 KiB|gone +5 +0 +-9 KiB/);
    expect(text).toContain('28 other types changed less.');
  });

  it('of a heap that told only of its biggest types say nothing of the others', () => {
    const type = (name: string, bytes: number) => ({ name, objects: bytes / 100, bytes, tableBytes: 0 });
    const diff = reportDiff(earlier({}), later({}), {
      before: { complete: false, types: [type('dict', 9_000), type('str', 5_000)] },
      after: { complete: false, types: [type('dict', 9_000), type('Order', 80_000), type('small', 4_900)] },
    });
    expect(diff.types).toEqual([
      { type: 'Order', before: null, after: { objects: 800, bytes: 80_000 }, grew: 80_000 },
      { type: 'str', before: { objects: 50, bytes: 5_000 }, after: null, grew: -5_000 },
    ]);
    expect(partsText(reportDiffParts(diff))).toMatch(/Order +few +800 +\+78 KiB/);
  });
});

it('another process and another way to look are said', () => {
  const target = { ...sickReport.target, pid: 7, startTime: '9' };
  expect(reportDiff(earlier({}), later({})).process).toBe('same');
  expect(reportDiff(earlier({}), later({ target })).process).toBe('restarted');
  expect(reportDiff(earlier({}), later({ target: { ...target, host: 'db-1' } })).process).toBe('other');
  const text = partsText(reportDiffParts(reportDiff(earlier({}), later({ target, playbook: 'stacks' }))));
  expect(text.replaceAll('\n', ' ')).toContain('it was restarted or another one was looked at');
  expect(text).toContain('`stacks`, so not everything compares');
});

describe('any two reports', () => {
  const faults = (report: Report) => report.findings.filter(({ cause }) => cause !== 'healthy').length;

  it('have each finding in exactly one place', () => {
    fc.assert(
      fc.property(anyReport, anyReport, (one, other) => {
        const { came, went, unchecked, stayed } = reportDiff(one, other);
        expect(went.length + unchecked.length + stayed.length).toBe(faults(one));
        expect(came.length + stayed.length).toBe(faults(other));
      }),
      { numRuns: 60 },
    );
  });

  it('are the same as themselves, and the other way round what came is what went', () => {
    fc.assert(
      fc.property(anyReport, anyReport, (one, other) => {
        const self = reportDiff(one, one);
        expect([self.came, self.went, self.unchecked, self.types]).toEqual([[], [], [], []]);
        expect(self.stayed.every((pair) => pair.before === pair.after || pair.before.title === pair.after.title)).toBe(
          true,
        );
        const [there, back] = [reportDiff(one, other), reportDiff(other, one)];
        expect(back.went.length + back.unchecked.length).toBe(there.came.length);
        expect(back.stayed.length).toBe(there.stayed.length);
      }),
      { numRuns: 60 },
    );
  });

  it('are told in text without control characters', () => {
    fc.assert(
      fc.property(anyReport, anyReport, (one, other) => {
        const text = partsText(reportDiffParts(reportDiff(one, other)));
        return !/[^\P{Cc}\n\t]|[\u202a-\u202e\p{Cs}]/u.test(text);
      }),
      { numRuns: 60 },
    );
  });
});
