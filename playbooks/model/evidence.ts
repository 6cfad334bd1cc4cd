import { z } from 'zod';
import { UnitId } from './request.ts';

/** How the run of a probe's command ended. A dropped connection is an ending too, never a success. */
export const StepEnd = z.enum(['exited', 'timed-out', 'target-gone', 'connection-lost']);
export type StepEnd = z.infer<typeof StepEnd>;

const Bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'bytes are expected');

/** The raw bytes of one run of one probe. It has an id and never changes. */
export const Evidence = z.object({
  /** `E1`, `E2`, … in the order in which the steps ended. */
  id: z.string().regex(/^E\d+$/),
  probe: UnitId,
  /** The command as a person would type it; scripts that were carried to the host are named, not spelled out. */
  command: z.string(),
  end: StepEnd,
  /** Exit status as the host's shell saw it (128 + n for signal n); null when the step did not exit by itself. */
  exit: z.number().int().nullable(),
  /** Milliseconds since 1970, by the worker's clock, when the step was handed to the host. */
  startedAt: z.number(),
  seconds: z.number(),
  stdout: Bytes,
  stderr: Bytes,
  /** Bytes that were written past the output limit and thrown away on the host. */
  dropped: z.number().int(),
});
export type Evidence = z.infer<typeof Evidence>;

const decoder = new TextDecoder('utf-8', { fatal: false });

/** Standard output as text: invalid UTF-8 becomes U+FFFD, so a hostile name cannot break a parser. */
export const evidenceText = (evidence: Evidence): string => decoder.decode(evidence.stdout);

/** Standard error as text, decoded in the same way. */
export const evidenceErrorText = (evidence: Evidence): string => decoder.decode(evidence.stderr);

/** The lines that quotes count from 1: standard output split at newlines. */
export const evidenceLines = (evidence: Evidence): string[] => evidenceText(evidence).split('\n');
