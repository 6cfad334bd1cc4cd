import { z } from 'zod';
import { LineNumber } from '../model/index.ts';

export const SyscallRecord = z.object({
  tid: z.number().int(),
  /** Seconds since the first record. */
  time: z.number(),
  name: z.string(),
  args: z.string(),
  /** Null while it has not returned. */
  result: z.string().nullable(),
  /** `EAGAIN`, …; null when it succeeded or has not returned. */
  errno: z.string().nullable(),
  /** Seconds it took; null when not returned. */
  seconds: z.number().nullable(),
  at: LineNumber,
});
export type SyscallRecord = z.infer<typeof SyscallRecord>;
export const SignalRecord = z.object({
  tid: z.number().int(),
  time: z.number(),
  signal: z.string(),
  /** SI_USER, SI_TKILL, SI_KERNEL, CLD_EXITED, … */
  code: z.string().nullable(),
  /** Sender for SI_USER and SI_TKILL, child for SIGCHLD. */
  pid: z.number().int().nullable(),
  at: LineNumber,
});
export type SignalRecord = z.infer<typeof SignalRecord>;
export const StraceData = z.object({
  /** Seconds that counting took; calls per name over all threads. */
  summary: z.object({
    seconds: z.number(),
    calls: z.array(
      z.object({
        name: z.string(),
        calls: z.number().int(),
        errors: z.number().int(),
        seconds: z.number(),
        at: LineNumber,
      }),
    ),
  }),
  /** A bounded sample in full. */
  detail: z.object({
    /** Seconds from first record to last, or to the end of the window when it was not cut. */
    seconds: z.number(),
    /** Ended at the line limit and not at the end of its time. */
    cut: z.boolean(),
    calls: z.array(SyscallRecord),
    signals: z.array(SignalRecord),
  }),
  /** Threads that were attached. */
  attached: z.array(z.number().int()),
});
export type StraceData = z.infer<typeof StraceData>;
