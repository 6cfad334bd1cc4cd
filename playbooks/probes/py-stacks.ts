import { z } from 'zod';
import { LineNumber, PythonStack } from '../model/index.ts';

export const PythonThread = z.object({
  /** Kernel thread id; null when the interpreter version does not record it and it could not be derived. */
  tid: z.number().int().nullable(),
  /** threading's name for it, else empty. */
  name: z.string(),
  samples: z.number().int(),
  /** Samples in which it held the interpreter lock. */
  gil: z.number().int(),
  /** Distinct stacks, most often seen first. */
  stacks: z.array(PythonStack),
  /** Samples that could not be read (torn), and those in stacks beyond the limit. */
  unread: z.number().int(),
  otherStacks: z.number().int(),
  /**
   * The lock it waits for, when its innermost frame waits for one in `acquire` or `with`: type, address and, for an
   * RLock, the thread that owns it. Null when it waits for none or that cannot be told.
   */
  waitsFor: z
    .object({ type: z.string(), address: z.string(), ownerTid: z.number().int().nullable(), at: LineNumber })
    .nullable(),
  at: LineNumber,
});
export type PythonThread = z.infer<typeof PythonThread>;

export const PyStacksData = z.object({
  version: z.string(),
  samples: z.number().int(),
  seconds: z.number(),
  threads: z.array(PythonThread),
  /** Sub-interpreters that exist and were not read. */
  interpretersNotRead: z.number().int(),
});
export type PyStacksData = z.infer<typeof PyStacksData>;
