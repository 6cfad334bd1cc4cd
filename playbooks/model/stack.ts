import { z } from 'zod';
import { LineNumber } from './observation.ts';

/** One Python frame. `file` is the code object's co_filename, `line` the line that is being executed. */
export const PythonFrame = z.object({
  /** Qualified where the version knows it (3.11 and later: `Cache.get`), else the plain name. */
  function: z.string(),
  file: z.string(),
  line: z.number().int(),
  /** Line of the function's `def` (co_firstlineno); 0 when not known. */
  firstLine: z.number().int(),
  /** Set on the frame of a Python signal handler that interrupted the frame just outside it: the signal's number. */
  signal: z.number().int().nullable(),
  /** Context managers whose `with` block this frame is inside of, by type and address; outermost first. */
  holds: z.array(z.object({ type: z.string(), address: z.string() })),
  /** The evidence line that shows this frame. */
  at: LineNumber,
});
export type PythonFrame = z.infer<typeof PythonFrame>;

/** One distinct stack of a thread and how often it was seen. Innermost frame first. */
export const PythonStack = z.object({ count: z.number().int(), frames: z.array(PythonFrame) });
export type PythonStack = z.infer<typeof PythonStack>;
