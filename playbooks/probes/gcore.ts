import { z } from 'zod';
import { LineNumber } from '../model/index.ts';

export const GcoreData = z.object({
  path: z.string(),
  bytes: z.number(),
  sha256: z.string().nullable(),
  /** When the core will be removed, ISO 8601. */
  removeAfter: z.string(),
  stoppedMs: z.number().nullable(),
  /** What gdb reads from the core: thread ids and their innermost C frames. */
  threads: z.array(
    z.object({
      tid: z.number().int(),
      frames: z.array(z.object({ function: z.string(), at: LineNumber })),
      at: LineNumber,
    }),
  ),
  /** Whether the executable that gdb used has the same build id as the process. */
  symbolsMatch: z.boolean().nullable(),
  at: LineNumber,
});
export type GcoreData = z.infer<typeof GcoreData>;
