import { z } from 'zod';
import { UnitId } from './request.ts';

/** A literal line of evidence. */
export const Quote = z.object({ evidenceId: z.string(), line: z.number().int().min(1), text: z.string() });
export type Quote = z.infer<typeof Quote>;

/** One concrete thing to do. `code` is a command, a diff or a snippet. */
export const Fix = z.object({ title: z.string(), detail: z.string(), code: z.string().optional() });
export type Fix = z.infer<typeof Fix>;

/** Source around a place that a finding names, read on the host. */
export const SourceExcerpt = z.object({
  file: z.string(),
  function: z.string(),
  /** The line that is being executed. */
  line: z.number().int(),
  evidenceId: z.string(),
  /** `at`: the line of the evidence. */
  lines: z.array(z.object({ line: z.number().int(), text: z.string(), at: z.number().int().min(1) })),
  /** The file was written after the process started, so that this may not be what runs. */
  newer: z.boolean(),
});
export type SourceExcerpt = z.infer<typeof SourceExcerpt>;

/** A cause that fired. */
export const Finding = z.object({
  cause: UnitId,
  confidence: z.number().min(0).max(1),
  title: z.string(),
  summary: z.string(),
  evidence: z.array(Quote),
  fixes: z.array(Fix),
  related: z.array(z.object({ pid: z.number().int(), why: z.string() })).optional(),
  source: z.array(SourceExcerpt).optional(),
  /** The cause of an earlier finding in the same report that explains this one. */
  explainedBy: UnitId.optional(),
});
export type Finding = z.infer<typeof Finding>;
