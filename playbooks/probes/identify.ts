import { z } from 'zod';
import { defineProbe, evidenceText, LineNumber } from '../model/index.ts';
import { parseIdentify } from './identify.parse.ts';

const Relative = z.object({
  pid: z.number().int(),
  comm: z.string(),
  command: z.string(),
  state: z.string(),
  /** Seconds since it started; null when it could not be read. */
  ageSeconds: z.number().nullable(),
  /** Signals it catches, hex mask as in /proc/PID/status SigCgt. */
  caught: z.string().nullable(),
  at: LineNumber,
});

export const IdentifyData = z.object({
  comm: z.string(),
  argv: z.array(z.string()),
  /** argv joined by spaces for people, control characters made visible; `[comm]` for an empty one. */
  command: z.string(),
  exe: z.object({ path: z.string(), deleted: z.boolean(), buildId: z.string().nullable(), at: LineNumber }).nullable(),
  startTime: z.string(),
  ageSeconds: z.number(),
  uid: z.number().int(),
  cwd: z.string().nullable(),
  /** `/` unless chrooted or in a container. */
  root: z.string().nullable(),
  /** One letter of proc(5): R S D T t Z I X. */
  state: z.object({ letter: z.string(), at: LineNumber }),
  tracer: z.object({ pid: z.number().int(), command: z.string().nullable(), at: LineNumber }).nullable(),
  threads: z.number().int(),
  memory: z.object({
    rssKib: z.number(),
    peakRssKib: z.number().nullable(),
    anonKib: z.number().nullable(),
    virtualKib: z.number().nullable(),
    swapKib: z.number().nullable(),
    at: LineNumber,
  }),
  signals: z.object({ pending: z.string(), blocked: z.string(), ignored: z.string(), caught: z.string() }),
  fds: z.object({ open: z.number().int(), softLimit: z.number().nullable(), at: LineNumber }).nullable(),
  cgroup: z
    .object({
      /** Path in the unified or memory hierarchy. */
      path: z.string(),
      memoryLimitBytes: z.number().nullable(),
      memoryUsedBytes: z.number().nullable(),
      /** memory.events oom_kill or memory.oom_control oom_kill. */
      oomKills: z.number().nullable(),
      at: LineNumber,
    })
    .nullable(),
  /** Its control group is frozen, or one above: what to write to which file to let it go on. Absent when it is not. */
  frozen: z.object({ file: z.string(), thaw: z.string(), at: LineNumber }).optional(),
  /** Whether mount or pid namespace differs from the host's init. */
  container: z.boolean(),
  /** Its process id as it is seen in its own pid namespace, where that is not the host's. */
  pidInside: z.number().int().optional(),
  /** The container as the process that keeps it calls it; absent where nobody does, and outside of containers. */
  kept: z.object({ container: z.string(), name: z.string().nullable(), at: LineNumber }).optional(),
  namespaces: z.record(z.string(), z.string()),
  parent: Relative.nullable(),
  children: z.array(Relative),
  siblings: z.array(Relative),
  runtime: z.object({
    kind: z.enum(['python', 'other']),
    /** `3.11.2` when known, `3.11` from a library's name, else null. */
    version: z.string().nullable(),
    /** The ELF file that holds the interpreter: the executable or libpython, path inside the target's root. */
    library: z.string().nullable(),
    buildId: z.string().nullable(),
    /** Whether the interpreter has debug information in it or beside it on this host. */
    symbols: z.boolean(),
  }),
  host: z.object({
    kernel: z.string(),
    cpus: z.number().int(),
    load: z.array(z.number()),
    memoryTotalKib: z.number(),
    memoryAvailableKib: z.number(),
    /** Tool name -> path, only those found. */
    tools: z.record(z.string(), z.string()),
    /** Path of a Python 3.6+ that can run our scripts. */
    python: z.string().nullable(),
    /** uid that the look runs as. */
    uid: z.number().int(),
    /** /proc/sys/kernel/yama/ptrace_scope, null where there is none. */
    ptraceScope: z.number().nullable(),
    bootedAt: z.number(),
  }),
});
export type IdentifyData = z.infer<typeof IdentifyData>;

/**
 * Who the process is, who its relatives are, and what the host has to look with. It runs first and alone, so it must
 * be quick and need nothing (about 35 ms here). Facts are those of proc(5).
 */
export const identify = defineProbe<IdentifyData>({
  id: 'identify',
  title: 'Process, relatives, host and tools',
  phase: 1,
  impacts: ['none'],
  ptraces: false,
  needs: { privilege: 'none' },
  limits: { seconds: () => 10, bytes: 1_000_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: IdentifyData,
  command: ({ target }) => ({
    argv: ['sh', '{script:identify.sh}', String(target.pid)],
    scripts: ['identify.sh'],
  }),
  parse: (evidence, { target }) => parseIdentify(evidenceText(evidence), target.pid),
});
