import { z } from 'zod';
import { UnitId } from './request.ts';

/** A literal line of evidence. */
export const Quote = z.object({ evidenceId: z.string(), line: z.number().int().min(1), text: z.string() });
export type Quote = z.infer<typeof Quote>;

/** One concrete thing to do. `code` is a command, a diff or a snippet. */
export const Fix = z.object({ title: z.string(), detail: z.string(), code: z.string().optional() });
export type Fix = z.infer<typeof Fix>;

/** A cause that fired. */
export const Finding = z.object({
  cause: UnitId,
  confidence: z.number().min(0).max(1),
  title: z.string(),
  summary: z.string(),
  evidence: z.array(Quote),
  fixes: z.array(Fix),
  related: z.array(z.object({ pid: z.number().int(), why: z.string() })).optional(),
  /** The cause of an earlier finding in the same report that explains this one. */
  explainedBy: UnitId.optional(),
});
export type Finding = z.infer<typeof Finding>;
