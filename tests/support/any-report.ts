import fc from 'fast-check';
import type { Finding, Report } from '../../playbooks/model/index.ts';
import { anyText } from './any-text.ts';
import { HOSTILE } from './reports.ts';

/** Text of every kind: plain, hostile, any code units (lone surrogates too), very long, empty. */
const text = fc.oneof(
  fc.string({ maxLength: 200 }),
  anyText(),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 60 }).map((units) => String.fromCharCode(...units)),
  fc.constantFrom(...HOSTILE),
  fc
    .tuple(fc.constantFrom('x', 'word ', '`', '<!channel>', 'ab\n', '&', '😀'), fc.integer({ min: 1, max: 20_000 }))
    .map(([piece, length]) => piece.repeat(Math.ceil(length / piece.length)).slice(0, length)),
);

const id = fc.constantFrom('busy-loop', 'healthy', 'oom-killed', 'file-lock-wait');
const evidenceId = fc.integer({ min: 1, max: 9_999 }).map((number) => `E${number}`);
const seconds = fc.double({ min: 0, max: 100_000, noNaN: true });
const few = { maxLength: 6 };

const finding: fc.Arbitrary<Finding> = fc.record(
  {
    cause: id,
    confidence: fc.double({ min: 0, max: 1, noNaN: true }),
    title: text,
    summary: text,
    evidence: fc.array(fc.record({ evidenceId, line: fc.integer({ min: 1 }), text }), few),
    fixes: fc.array(fc.record({ title: text, detail: text, code: text }, { requiredKeys: ['title', 'detail'] }), few),
    related: fc.array(fc.record({ pid: fc.integer({ min: 1, max: 4_194_304 }), why: text }), few),
    source: fc.array(
      fc.record({
        file: text,
        function: text,
        line: fc.nat(),
        evidenceId,
        lines: fc.array(fc.record({ line: fc.nat(), text, at: fc.integer({ min: 1 }) }), few),
        newer: fc.boolean(),
      }),
      few,
    ),
    explainedBy: id,
  },
  { requiredKeys: ['cause', 'confidence', 'title', 'summary', 'evidence', 'fixes'] },
);

const reasons = fc.array(fc.record({ cause: id, why: text }), { maxLength: 60 });

/** Any report that the schema takes, most of them of a kind that no honest look would give. */
export const anyReport: fc.Arbitrary<Report> = fc.record<Report>({
  id: fc.string({ maxLength: 64 }),
  target: fc.record({
    host: text,
    pid: fc.integer({ min: 1, max: 4_194_304 }),
    startTime: fc.constant('1'),
    command: text,
    runtime: text,
  }),
  playbook: id,
  startedAt: fc.constant('2024-05-01T12:00:03.000Z'),
  seconds,
  findings: fc.array(finding, few),
  ruledOut: reasons,
  cannotTell: reasons,
  caveats: fc.array(text, { maxLength: 30 }),
  impact: fc.record({
    longestStallMs: seconds,
    steps: fc.array(fc.record({ probe: id, impact: fc.constantFrom('none', 'slows', 'stops'), seconds }), {
      maxLength: 60,
    }),
  }),
  evidence: fc.array(
    fc.record({
      id: evidenceId,
      probe: id,
      command: text,
      exit: fc.option(fc.integer()),
      seconds,
      bytes: fc.nat(),
      truncated: fc.boolean(),
    }),
    { maxLength: 60 },
  ),
  shown: fc.option(
    fc.record({
      probe: id,
      evidenceId: fc.option(evidenceId),
      why: fc.option(text),
      lines: fc.array(text, { maxLength: 40 }),
      summary: fc.boolean(),
      total: fc.nat(),
    }),
    { nil: undefined },
  ),
  related: fc.array(
    fc.record({
      pid: fc.integer({ min: 1, max: 4_194_304 }),
      why: text,
      command: fc.option(text),
      findings: fc.array(finding, { maxLength: 3 }),
      failure: fc.option(text),
    }),
    { maxLength: 3 },
  ),
});
