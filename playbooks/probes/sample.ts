import { z } from 'zod';
import { defineProbe, evidenceText, LineNumber } from '../model/index.ts';
import { parseSample } from './sample.parse.ts';

/** Threads that are looked at: beyond this many, the main thread and those that have used most CPU. */
const MOST_THREADS = 512;
/** The same without Python: each look is then read by awk. */
const MOST_THREADS_SH = 64;

export const SampledThread = z.object({
  tid: z.number().int(),
  comm: z.string(),
  /** How often it was looked at; fewer than the others when it came or went, or sleeps on among more than 64 threads. */
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
      /** The six argument registers as hex of the last time; empty for `running` and `?`. */
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
  /**
   * It stood at a lock of the C library itself for the whole window: in its data, or at the head of a malloc arena.
   * `blocked`: signals that the process handles and this thread blocks, as it does while a handler of theirs runs.
   */
  ownLock: z.object({ of: z.enum(['libc', 'arena']), blocked: z.array(z.number().int()), at: LineNumber }).optional(),
  /**
   * It waited for one lock of native code (a pthread mutex or read-write lock, or one that the kernel knows the owner of) for the
   * whole window: where that lies, which thread notes itself as its owner, and `blocked` as above. The owner may be a thread of the
   * parent: a fork copies taken locks.
   */
  mutex: z
    .object({
      address: z.string(),
      ownerTid: z.number().int(),
      blocked: z.array(z.number().int()),
      at: LineNumber,
    })
    .optional(),
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
  /** The process ended before the window was over. */
  ended: z.literal(true).optional(),
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

/**
 * What all threads do over a window, at about 50 looks a second by a Python on the host (fewer when there are very many
 * threads: it takes no more than a quarter of one CPU), or 5 by sh where there is none. It only reads /proc: proc(5) for
 * `stat`, `status`, `syscall`, `wchan`, `stack`, `io`; `syscall` and `stack` need root or the target's own user.
 */
export const sample = defineProbe<SampleData>({
  id: 'sample',
  title: 'Threads, CPU, memory and waits over a window',
  phase: 2,
  impacts: ['none'],
  ptraces: false,
  needs: { privilege: 'none' },
  // Reading the descriptors of a process with a million of them takes seconds by itself.
  limits: { seconds: ({ windowSeconds }) => windowSeconds + 10, bytes: 4_000_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: SampleData,
  command: ({ target, windowSeconds, known }) => {
    const words = [String(target.pid), target.startTime, String(windowSeconds)];
    if (known?.python)
      return {
        argv: [
          known.python,
          '-I',
          '-S',
          '-B',
          '{script:sample.py}',
          ...words,
          String(MOST_THREADS),
          '{script:sample.syscalls}',
        ],
        scripts: [
          'sample.py',
          'proc_watch.py',
          'libc_words.py',
          'mutex_words.py',
          'cpu_groups.py',
          'proc_files.py',
          'syscall_table.py',
          'sample.syscalls',
        ],
      };
    return {
      argv: ['sh', '{script:sample.sh}', ...words, String(MOST_THREADS_SH), '{script:sample.syscalls}'],
      scripts: ['sample.sh', 'sample.syscalls'],
    };
  },
  parse: (evidence, { target }) => parseSample(evidenceText(evidence), target.pid),
});
