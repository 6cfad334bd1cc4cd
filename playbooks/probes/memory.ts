import { z } from 'zod';
import { defineProbe, evidenceText, LineNumber } from '../model/index.ts';
import { parseMemory } from './memory.parse.ts';

/** Sums over the mappings of one kind, in KiB (proc_pid_smaps(5)). */
export const MemoryKind = z.object({
  /** Mappings of that kind with anything in memory or in swap. */
  count: z.number().int(),
  sizeKib: z.number(),
  residentKib: z.number(),
  swappedKib: z.number(),
  /** Given back by madvise(MADV_FREE) and not yet taken by the kernel: resident in name only. */
  lazilyFreedKib: z.number(),
  hugeKib: z.number(),
  at: LineNumber,
});
export type MemoryKind = z.infer<typeof MemoryKind>;

/**
 * What mappings are. `heap`: by brk(2), malloc's main arena. `arena`: at a multiple of 64 MiB, as glibc maps further arenas.
 * `anonymous`: other private memory of no file: large mallocs, Python's arenas, buffers. `stack`, `file`, `shared`, `other`.
 */
export const MEMORY_KINDS = ['heap', 'arena', 'anonymous', 'stack', 'file', 'shared', 'other'] as const;

const Reading = z.object({
  /** /proc/PID/status, in KiB; null for what the kernel does not tell (RssAnon and its like: Linux 4.5). */
  counters: z.object({
    residentKib: z.number(),
    anonymousKib: z.number().nullable(),
    fileKib: z.number().nullable(),
    sharedKib: z.number().nullable(),
    swappedKib: z.number().nullable(),
    peakKib: z.number().nullable(),
    pageTablesKib: z.number().nullable(),
    at: LineNumber,
  }),
  /** Page faults of the whole process since it started; major ones waited for a disk (proc_pid_stat(5)). */
  faults: z.object({ minor: z.number(), major: z.number(), at: LineNumber }).nullable(),
  /** Of the whole host since it booted, in pages (proc_vmstat(5)). */
  host: z.object({ pagesIn: z.number(), pagesOut: z.number(), majorFaults: z.number(), at: LineNumber }).nullable(),
  hostMemory: z
    .object({
      totalKib: z.number(),
      availableKib: z.number().nullable(),
      swapKib: z.number(),
      swapFreeKib: z.number(),
      at: LineNumber,
    })
    .nullable(),
  /** Microseconds in which some task, and in which all tasks, waited for memory (kernel accounting/psi.rst). */
  pressure: z.object({ someUs: z.number(), fullUs: z.number().nullable(), at: LineNumber }).nullable(),
  groupPressure: z.object({ someUs: z.number(), fullUs: z.number().nullable(), at: LineNumber }).nullable(),
  group: z
    .object({
      usedBytes: z.number().nullable(),
      limitBytes: z.number().nullable(),
      swapBytes: z.number().nullable(),
      at: LineNumber,
    })
    .nullable(),
  /** Null where the mappings were not read. */
  kinds: z
    .object(
      Object.fromEntries(MEMORY_KINDS.map((kind) => [kind, MemoryKind])) as Record<
        (typeof MEMORY_KINDS)[number],
        typeof MemoryKind
      >,
    )
    .nullable(),
  /** Largest private anonymous mappings, largest first. */
  large: z.array(
    z.object({
      kind: z.enum(['heap', 'arena', 'anonymous']),
      /** `start-end`, hexadecimal. */
      range: z.string(),
      sizeKib: z.number(),
      residentKib: z.number(),
      swappedKib: z.number(),
      at: LineNumber,
    }),
  ),
});
export type MemoryReading = z.infer<typeof Reading>;

export const MemoryData = z.object({
  begin: Reading,
  /** Null when the process ended, or the look was broken off, before the second reading. */
  end: Reading.nullable(),
  /** Seconds between the two readings. */
  seconds: z.number(),
  /** Between the two readings, from the first one on; of the counters, which are near enough and cost nothing. */
  curve: z.array(
    z.object({
      seconds: z.number(),
      residentKib: z.number(),
      anonymousKib: z.number().nullable(),
      /** Memory of shared mappings without a file on a disk (RssShmem); null where it is not told. */
      sharedKib: z.number().nullable(),
      swappedKib: z.number().nullable(),
      majorFaults: z.number(),
      at: LineNumber,
    }),
  ),
});
export type MemoryData = z.infer<typeof MemoryData>;

/**
 * How resident memory divides by kind of mapping, at the beginning and at the end of the window, with page faults, swap
 * and pressure. Reading smaps walks the process's page tables under its mmap_lock (some 12 ms a GiB were measured), in
 * which its own mmap and brk wait. So from 16 GiB resident on only the kernel's sums are read, and those once.
 */
export const memory = defineProbe<MemoryData>({
  id: 'memory',
  title: 'How resident memory divides',
  phase: 2,
  impacts: ['none'],
  ptraces: false,
  needs: { privilege: 'none' },
  limits: { seconds: (step) => step.windowSeconds + 10, bytes: 500_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: MemoryData,
  command: ({ target, windowSeconds, known }) => {
    const words = [String(target.pid), target.startTime, String(windowSeconds)];
    const python = known?.python ?? null;
    return python === null
      ? { argv: ['sh', '{script:memory.sh}', ...words], scripts: ['memory.sh'] }
      : { argv: [python, '-I', '-S', '-B', '{script:memory.py}', ...words], scripts: ['memory.py', 'proc_files.py'] };
  },
  parse: (evidence, { target }) => parseMemory(evidenceText(evidence), target.pid),
});
