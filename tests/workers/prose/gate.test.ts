import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { gate } from '../../../workers/prose/gate.ts';
import type { ModelProse } from '../../../workers/prose/schema.ts';
import { viewOf, viewText } from '../../../workers/prose/view.ts';
import { anyReport } from '../../support/any-report.ts';
import { anyText } from '../../support/any-text.ts';
import { recordedNames, recordedReport } from '../../support/recorded-reports.ts';
import { healthyReport, sickReport } from '../../support/reports.ts';
import { BAD, BAD_OF_HEALTHY, GOOD, type Said } from './answers.ts';

const sick = viewOf(sickReport);
const healthy = viewOf(healthyReport);
const [FIRST] = GOOD;
const claim = ({ text, rests_on }: Said) => ({ text, rests_on: [...rests_on] });

/** An answer of which one sentence is in question and all else is beyond doubt. */
const answerWith = (said: Said): ModelProse => ({
  headline: claim(FIRST as Said),
  sentences: [claim(FIRST as Said), claim(said)],
  fix: null,
  next: [],
});

describe('a sentence', () => {
  it.each(GOOD)('that is covered passes: $text', (said) => {
    const { prose, dropped } = gate(answerWith(said), sick);
    expect(dropped).toEqual([]);
    expect(prose?.sentences[1]?.text).toBe(said.text);
  });

  it.each(BAD)('with $wrong is stopped: $text', (said) => {
    const { prose, dropped } = gate(answerWith(said), sick);
    expect(dropped).toHaveLength(1);
    expect(JSON.stringify(prose)).not.toContain(JSON.stringify(said.text).slice(1, -1));
  });

  it.each(BAD_OF_HEALTHY)('that calls a healthy process sick is stopped: $text', (said) => {
    expect(gate({ headline: claim(said), sentences: [claim(said)], fix: null, next: [] }, healthy).prose).toBeNull();
  });
});

describe('an answer', () => {
  it('whose headline falls is dropped as a whole', () => {
    const bad = { text: 'The process is healthy.', rests_on: ['F1'] };
    expect(gate({ ...answerWith(GOOD[1] as Said), headline: bad }, sick).prose).toBeNull();
  });

  it('of which half falls is dropped as a whole', () => {
    const bad = BAD.slice(0, 2).map(claim);
    const answer = {
      ...answerWith(GOOD[1] as Said),
      sentences: [claim(GOOD[1] as Said), claim(GOOD[2] as Said), ...bad],
    };
    expect(gate(answer, sick).prose).toBeNull();
  });

  it('is cut to six sentences', () => {
    const sentences = [...Array(9)].map(() => claim(FIRST as Said));
    expect(gate({ ...answerWith(FIRST as Said), sentences }, sick).prose?.sentences).toHaveLength(6);
  });
});

describe('a fix', () => {
  const fix = (change: Partial<NonNullable<ModelProse['fix']>>): ReturnType<typeof gate> =>
    gate(
      {
        ...answerWith(GOOD[1] as Said),
        fix: { fix: 'X1', text: 'Let the handler only set a flag.', code: null, rests_on: ['F1'], ...change },
      },
      sick,
    );

  it('brings the rules’ own code', () => {
    expect(fix({}).prose?.fix).toMatchObject({
      title: 'Let the handler only set a flag',
      code: expect.stringContaining('stopping.set()'),
    });
  });

  it('that no rule offers is dropped', () => {
    expect(fix({ fix: 'X7' })).toMatchObject({ prose: { fix: null }, dropped: [{ part: 'fix' }] });
    expect(fix({ fix: 'F1' })).toMatchObject({ prose: { fix: null }, dropped: [{ part: 'fix' }] });
    expect(fix({ text: 'Restart the database.' })).toMatchObject({ prose: { fix: null }, dropped: [{ part: 'fix' }] });
  });

  it.each([
    'kill -9 6325',
    'rm -rf /srv/app',
    'def on_terminate(signum, frame):\n    stopping.set()\n    os.system("id")\n',
  ])('with code that no rule offers keeps the rules’ own: %s', (code) => {
    const { prose, dropped } = fix({ code });
    expect(dropped).toMatchObject([{ part: 'code' }]);
    expect(prose?.fix?.code).toContain('stopping.set()');
    expect(prose?.fix?.code).not.toContain(code);
  });

  const source = {
    file: '/srv/app/pool.py',
    function: 'on_terminate',
    line: 88,
    evidenceId: 'E4',
    newer: false,
    lines: [
      { line: 87, text: 'def on_terminate(signum, frame):', at: 1 },
      { line: 88, text: '    with pool.lock:', at: 2 },
      { line: 89, text: '        pool.flush()', at: 3 },
    ],
  };
  const [first, ...rest] = sickReport.findings;
  const withSource = viewOf({
    ...sickReport,
    findings: first === undefined ? [] : [{ ...first, source: [source] }, ...rest],
  });
  const diffed = (code: string) =>
    gate(
      {
        ...answerWith(GOOD[1] as Said),
        fix: { fix: 'X1', text: 'Let the handler only set a flag.', code, rests_on: ['F1'] },
      },
      withSource,
    );
  const DIFF = [
    '--- a/pool.py',
    '+++ b/pool.py',
    '@@ -87,3 +87,2 @@',
    ' def on_terminate(signum, frame):',
    '-    with pool.lock:',
    '-        pool.flush()',
    '+    stopping.set()',
  ].join('\n');

  it('may be a diff of the source that was read', () => {
    expect(diffed(DIFF)).toMatchObject({ dropped: [], prose: { fix: { code: DIFF } } });
  });

  it.each([
    ['takes away a line that is not there', DIFF.replace('pool.flush()', 'pool.drain()')],
    ['brings in a name of its own', DIFF.replace('stopping.set()', 'subprocess.run(["id"])')],
    ['has no added line', DIFF.replace(/\n\+ .*/, '')],
  ])('is not a diff that %s', (_what, code) => {
    expect(diffed(code).dropped).toMatchObject([{ part: 'code' }]);
  });
});

test('what the rules themselves say passes, for the recorded looks of all causes', () => {
  let said = 0;
  let stopped = 0;
  for (const name of recordedNames()) {
    const report = recordedReport(name);
    const [finding] = report.findings;
    if (finding === undefined || finding.confidence < 0.5) continue;
    const sentences = finding.summary
      .split(/(?<=[.!?])\s+(?=[A-Z`])/)
      .slice(0, 6)
      .map((text) => ({ text, rests_on: ['F1'] }));
    const { dropped, prose } = gate(
      { headline: { text: finding.title, rests_on: ['F1'] }, sentences, fix: null, next: [] },
      viewOf(report),
    );
    expect(prose, `${name}: ${JSON.stringify(dropped)}`).not.toBeNull();
    said += sentences.length + 1;
    stopped += dropped.length;
  }
  expect(said).toBeGreaterThan(500);
  expect(stopped / said).toBeLessThan(0.02);
});

test('an answer of any shape about any report is judged, and nothing of it passes that cites nothing', () => {
  const claims = fc.record({
    text: anyText(),
    rests_on: fc.array(fc.oneof(fc.constantFrom('F1', 'Q1', 'T1', 'X1'), anyText()), { maxLength: 3 }),
  });
  const answers = fc.record({
    headline: claims,
    sentences: fc.array(claims, { maxLength: 8 }),
    fix: fc.option(
      fc.record({
        fix: anyText(),
        text: anyText(),
        code: fc.option(anyText()),
        rests_on: fc.array(anyText(), { maxLength: 2 }),
      }),
    ),
    next: fc.array(claims, { maxLength: 4 }),
  });
  fc.assert(
    fc.property(anyReport, answers, (report, answer) => {
      const view = viewOf(report);
      const ids = new Set(view.items.map(({ id }) => id));
      const { prose } = gate(answer, view);
      for (const each of prose === null ? [] : [prose.headline, ...prose.sentences, ...prose.next]) {
        expect(each.rests_on.length).toBeGreaterThan(0);
        for (const id of each.rests_on) expect(ids).toContain(id);
      }
    }),
    { numRuns: 200 },
  );
});

test('what the model is shown is one object a line, small, whatever the report holds', () => {
  fc.assert(
    fc.property(anyReport, (report) => {
      for (const line of viewText(viewOf(report)).split('\n'))
        expect(JSON.parse(line)).toMatchObject({ id: expect.any(String) });
    }),
    { numRuns: 100 },
  );
  const tokens = recordedNames().map((name) => viewText(viewOf(recordedReport(name))).length / 4);
  expect(Math.max(...tokens)).toBeLessThan(3_000);
});
