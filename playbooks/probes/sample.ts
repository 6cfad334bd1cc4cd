import { z } from 'zod';
import { LineNumber } from '../model/index.ts';

export const SampledThread = z.object({
  tid: z.number().int(),
  comm: z.string(),
  /** How often it was looked at; a thread that came or went has fewer than the others. */
  samples: z.number().int(),
  /** Times seen in each state letter of proc(5). */
  states: z.record(z.string(), z.number().int()),
  /** CPU seconds spent in the window, from utime and stime. */
  userSeconds: z.number(),
  systemSeconds: z.number(),
  voluntarySwitches: z.number().int().nullable(),
  involuntarySwitches: z.number().int().nullable(),
  /** System calls it was seen in, most often first. Name `running` when it was in none, `?` when not readable. */
  syscalls: z.array(
    z.object({
      name: z.string(),
      count: z.number().int(),
      /** The six argument registers as hex of the last time; empty for `running`. */
      args: z.array(z.string()),
      /** What the first argument's descriptor points to (`socket:[123]`, `/path`), for calls that take one. */
      fd: z.string().nullable(),
      at: LineNumber,
    }),
  ),
  /** Kernel functions it waited in, most often first. */
  wchans: z.array(z.object({ name: z.string(), count: z.number().int() })),
  /** Kernel stack of the last sample in state D or S, outermost last; empty without root. */
  kernelStack: z.array(z.string()),
  at: LineNumber,
});
export type SampledThread = z.infer<typeof SampledThread>;

export const SampleData = z.object({
  /** Seconds between first and last sample. */
  seconds: z.number(),
  samples: z.number().int(),
  ticksPerSecond: z.number(),
  threads: z.array(SampledThread),
  /** Threads beyond the limit that were not looked at. */
  threadsNotSampled: z.number().int(),
  threadsStarted: z.number().int(),
  threadsEnded: z.number().int(),
  process: z.object({
    userSeconds: z.number(),
    systemSeconds: z.number(),
    rssKib: z.object({ first: z.number(), last: z.number(), min: z.number(), max: z.number(), at: LineNumber }),
    swapKib: z.object({ first: z.number(), last: z.number() }),
    minorFaults: z.number(),
    majorFaults: z.number(),
    /** Deltas over the window of /proc/PID/io; null when not readable. */
    io: z
      .object({
        rchar: z.number(),
        wchar: z.number(),
        readBytes: z.number(),
        writeBytes: z.number(),
        syscr: z.number(),
        syscw: z.number(),
      })
      .nullable(),
    fds: z.object({ first: z.number().int(), last: z.number().int() }).nullable(),
    at: LineNumber,
  }),
  /** Deltas of the cgroup's cpu.stat over the window; null when there is none. */
  throttled: z
    .object({ periods: z.number(), throttledPeriods: z.number(), seconds: z.number(), at: LineNumber })
    .nullable(),
});
export type SampleData = z.infer<typeof SampleData>;
