import { z } from 'zod';
import { LineNumber, PythonFrame } from '../model/index.ts';

export const PyBtThread = z.object({
  tid: z.number().int(),
  /** Innermost first; empty for a thread without Python frames. */
  frames: z.array(PythonFrame),
  /** Names of the C functions around them, innermost first, from `bt`. */
  native: z.array(z.object({ function: z.string(), at: LineNumber })),
  at: LineNumber,
});
export type PyBtThread = z.infer<typeof PyBtThread>;
export const PyBtData = z.object({
  threads: z.array(PyBtThread),
  /** False when py-bt could not read frames and only `bt` is there. */
  pythonFrames: z.boolean(),
  /** Milliseconds that the target was stopped, measured around attach and detach on the host; null when not known. */
  stoppedMs: z.number().nullable(),
});
export type PyBtData = z.infer<typeof PyBtData>;
