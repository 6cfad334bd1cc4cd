import { appendFileSync } from 'node:fs';
import { expect } from 'vitest';
import { z } from 'zod';
import type { Report } from '../../playbooks/model/index.ts';

/** Names the file that looks at incidents are written to, a JSON object a line; nothing is written without it. */
export const RECORD_VARIABLE = 'STRACEBACK_INCIDENT_RECORD';

/** A line of the record: a look that was taken, or what the test expected of it. */
export const IncidentLine = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('look'),
    id: z.string(),
    /** The test's name with those of the blocks around it. */
    test: z.string(),
    file: z.string(),
    /** Causes of 0.5 and more, `healthy` too, in the report's order. */
    found: z.array(z.strictObject({ cause: z.string(), confidence: z.number() })),
    seconds: z.number(),
    stallMs: z.number(),
    /** Null when the target is traced or stopped on purpose, which its test checks. */
    unhurt: z.boolean().nullable(),
  }),
  z.strictObject({ kind: z.literal('expected'), id: z.string(), cause: z.string() }),
]);
export type IncidentLine = z.infer<typeof IncidentLine>;

const write = (line: IncidentLine): void => {
  const file = process.env[RECORD_VARIABLE];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(line)}\n`);
};

/** Records a look that was taken in this test. */
export const recordLook = (report: Report, unhurt: boolean | null): void => {
  const { currentTestName = '', testPath = '' } = expect.getState();
  write({
    kind: 'look',
    id: report.id,
    test: currentTestName,
    file: testPath.replace(/^.*\/tests\//, 'tests/'),
    found: report.findings
      .filter((finding) => finding.confidence >= 0.5 || finding.cause === 'healthy')
      .map(({ cause, confidence }) => ({ cause, confidence })),
    seconds: report.seconds,
    stallMs: report.impact.longestStallMs,
    unhurt,
  });
};

/** Records what a look should have found. */
export const recordExpected = (report: Report, cause: string): void =>
  write({ kind: 'expected', id: report.id, cause });
