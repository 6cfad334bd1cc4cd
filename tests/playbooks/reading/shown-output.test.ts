import { describe, expect, it } from 'vitest';
import {
  defineProbe,
  type Evidence,
  type Observation,
  type Parsed,
  type Probe,
} from '../../../playbooks/model/index.ts';
import { heapInShort } from '../../../playbooks/probes/py-heap.preview.ts';
import { pyHeap } from '../../../playbooks/probes/py-heap.ts';
import { straceInShort } from '../../../playbooks/probes/strace.preview.ts';
import { strace } from '../../../playbooks/probes/strace.ts';
import { shownOutput } from '../../../playbooks/reading/shown-output.ts';
import { headline, reportParts } from '../../../playbooks/report-parts.ts';
import { reportText } from '../../../playbooks/report-text.ts';
import { fixtureNames, parseFixture } from '../../support/fixture.ts';
import { unclearReport } from '../../support/reports.ts';
import { evidenceFrom } from '../../support/run-probe.ts';

const probes = new Map<string, Probe>([['lsof', {} as Probe]]);
const seen = (partly: readonly string[] = []): Observation<unknown> => ({
  seen: true,
  evidenceId: 'E2',
  data: {},
  partly,
});

const show = (text: string, observation: Observation<unknown> = seen()) => {
  const evidence: Evidence[] = [{ ...evidenceFrom('lsof', text), id: 'E2' }];
  return shownOutput('lsof', probes, evidence, new Map([['lsof', observation]]));
};

describe('what a message shows of a tool', () => {
  it('is all of a short output, without what only says how it was run', () => {
    expect(show('== lsof 4.95\nFD TYPE\n3u  REG  \t/tmp/x\n\n== files: 1\n')).toEqual({
      probe: 'lsof',
      evidenceId: 'E2',
      why: null,
      lines: ['FD TYPE', '3u  REG      /tmp/x'],
      summary: false,
      total: 2,
    });
  });

  it('is the beginning of a long one, bounded in lines, columns and characters, and says so', () => {
    const long = show(Array.from({ length: 500 }, (_, at) => `line ${at}`).join('\n'));
    expect(long).toMatchObject({ total: 500, lines: { length: 30 } });
    const wide = show(`${'x'.repeat(5_000)}\n`.repeat(90));
    expect(wide.lines.join('\n').length).toBeLessThanOrEqual(2_500);
    expect(wide.lines.every((line) => line.length <= 200 && line.endsWith('…'))).toBe(true);
    const report = { ...unclearReport, findings: [], shown: long };
    expect(headline(report)).toBe('lsof: 500 lines');
    expect(reportText(report)).toContain('`lsof`, the first 30 of 500 lines; the whole is in the evidence E2:');
    expect(reportParts(report)).toContainEqual({ kind: 'code', text: long.lines.join('\n') });
  });

  it('is what the script said where there is nothing else', () => {
    expect(show('== none: it has no TCP connection\n')).toMatchObject({
      lines: ['== none: it has no TCP connection'],
      total: 1,
    });
  });

  it('is the reason where there is nothing, and names what is missing', () => {
    const refused = show('', { seen: false, reason: 'failed', why: 'the process has no such thread' });
    expect(refused).toMatchObject({ lines: [], why: 'the process has no such thread', evidenceId: 'E2' });
    expect(reportText({ ...unclearReport, findings: [], shown: refused })).toContain(
      '`lsof`: the process has no such thread.',
    );
    expect(shownOutput('lsof', probes, [], new Map())).toMatchObject({ evidenceId: null, lines: [] });
    expect(headline({ ...unclearReport, findings: [], shown: { ...refused, evidenceId: null } })).toBe(
      'lsof was not run',
    );
    expect(show('3u\n', seen(['1 of 9 open files are shown'])).why).toBe('1 of 9 open files are shown');
  });

  it('holds nothing that a terminal would obey', () => {
    expect(show('a\u001b[2Jb\u202ec\n').lines).toEqual(['a\\x1b[2Jb\\u{202e}c']);
  });
});

describe('a probe’s own preview', () => {
  const dataOf = <Data>(parsed: Parsed<Data>): Data[] => (parsed.ok ? [parsed.data] : []);

  it('of strace tells calls and waits of every recorded trace that has some', () => {
    const traces = fixtureNames('strace').flatMap((name) => dataOf(parseFixture(strace, name)));
    const told = traces.map((data) => ({ data, lines: straceInShort(data) }));
    expect(told.some(({ lines }) => lines.some((line) => /^thread \d+ is in \w+\(/.test(line)))).toBe(true);
    for (const { data, lines } of told) {
      const names = data.summary.calls.length > 0 ? data.summary.calls : data.detail.calls;
      if (names.length === 0) continue;
      const most = [...data.summary.calls].sort((a, b) => b.calls - a.calls)[0];
      if (most !== undefined) expect(lines[1]).toMatch(new RegExp(`^ +${most.calls}  ${most.name} `));
      expect(lines.length).toBeLessThanOrEqual(28);
    }
  });

  it('of a heap tells the types that take most, first', () => {
    const [data] = fixtureNames('py-heap').flatMap((name) => dataOf(parseFixture(pyHeap, name)));
    if (data === undefined) throw new Error('no recorded heap could be read');
    const biggest = [...data.types].sort((a, b) => b.bytes + b.tableBytes - a.bytes - a.tableBytes)[0];
    expect(heapInShort(data)[0]).toContain(biggest?.name);
    expect(heapInShort({ ...data, types: [] })).toEqual([]);
  });

  it('comes before the beginning of the output', () => {
    const told = defineProbe({ ...(strace as Probe), id: 'lsof', preview: () => ['one', 'two\u0007'] });
    const evidence = [{ ...evidenceFrom('lsof', 'x\n'.repeat(40)), id: 'E2' }];
    expect(shownOutput('lsof', new Map([['lsof', told]]), evidence, new Map([['lsof', seen()]]))).toMatchObject({
      lines: ['one', 'two\\x07'],
      summary: true,
      total: 40,
    });
  });
});
