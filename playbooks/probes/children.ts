import { z } from 'zod';
import { defineProbe, evidenceText, LineNumber } from '../model/index.ts';
import { parseChildren } from './children.parse.ts';

/** A thread of a relative, seen at both ends of the window. */
export const RelativeThread = z.object({
  tid: z.number().int(),
  state: z.string(),
  /** How often it went to sleep between the two looks; null when not readable. A thread that stands still: 0. */
  woke: z.number().int().nullable(),
  /** Whether both looks met it in the same call with the same arguments, stack and instruction. */
  same: z.boolean(),
  /** The call at the last look; `running` for none, `?` when not readable (it needs root or its owner). */
  syscall: z.string(),
  /** Argument registers, hex. */
  args: z.array(z.string()),
  /** What the first argument's descriptor points to, for calls that take one. */
  fd: z.string().nullable(),
  /** The kernel function it waits in, `0` for none. */
  wchan: z.string(),
  at: LineNumber,
});
export type RelativeThread = z.infer<typeof RelativeThread>;

export const RelativeProcess = z.object({
  pid: z.number().int(),
  relation: z.enum(['target', 'parent', 'sibling', 'descendant']),
  parent: z.number().int(),
  /** Generations below the target; 1 for a child, and for a sibling. */
  depth: z.number().int(),
  comm: z.string(),
  command: z.string(),
  /** State letters of proc(5) at both looks; the first is `-` when it came in between. */
  states: z.tuple([z.string(), z.string()]),
  ageSeconds: z.number(),
  threadCount: z.number().int(),
  /** `forked`: it still is the image that its parent forked, without an exec since. Null when not readable. */
  origin: z.enum(['forked', 'executed']).nullable(),
  /** Hex masks of /proc/PID/status; null for relatives beyond the first that are only listed. */
  signals: z.object({ caught: z.string(), ignored: z.string(), blocked: z.string(), at: LineNumber }).nullable(),
  /** Its pid in its own innermost pid namespace. */
  namespacePid: z.number().int().nullable(),
  /** Change of /proc/PID/io over the window; null when not readable. Bytes and calls of reads and writes of any kind. */
  moved: z.object({ read: z.number(), wrote: z.number(), reads: z.number(), writes: z.number() }).nullable(),
  cpuSeconds: z.number().nullable(),
  threads: z.array(RelativeThread),
  /** Its open ends of pipes. A descriptor may be both ends when it was opened so (a FIFO). */
  pipes: z.array(
    z.object({ inode: z.string(), fd: z.number().int(), end: z.enum(['read', 'write', 'both', '?']), at: LineNumber }),
  ),
  sockets: z.array(z.object({ inode: z.string(), fd: z.number().int() })),
  /** Processes that it holds a pidfd of. */
  pidfds: z.array(z.number().int()),
  /** Of the target: its epoll descriptors, how many descriptors each watches and what the first of these are. */
  epolls: z
    .array(
      z.object({
        fd: z.number().int(),
        watches: z.number().int(),
        shown: z.array(z.object({ fd: z.number().int(), target: z.string() })),
        at: LineNumber,
      }),
    )
    .optional(),
  at: LineNumber,
});
export type RelativeProcess = z.infer<typeof RelativeProcess>;

export const ChildrenData = z.object({
  seconds: z.number(),
  /** The target, its parent, siblings and descendants, zombie children of the target apart. */
  processes: z.array(RelativeProcess),
  zombies: z.object({
    first: z.number().int(),
    last: z.number().int(),
    /** Those that were zombies at both looks. */
    stayed: z.number().int(),
    /** Some of them, those that stayed first. */
    shown: z.array(
      z.object({
        pid: z.number().int(),
        comm: z.string(),
        /** Since it was started, not since it ended. */
        ageSeconds: z.number(),
        /** `signal 9`, `status 1`; null when not readable. */
        ending: z.string().nullable(),
        stayed: z.boolean(),
        at: LineNumber,
      }),
    ),
    at: LineNumber,
  }),
  /** Processes that are no relatives and have the writing end of a pipe whose end the target seems to wait for. */
  holders: z.array(
    z.object({
      inode: z.string(),
      pid: z.number().int(),
      parent: z.number().int(),
      state: z.string(),
      ageSeconds: z.number(),
      comm: z.string(),
      command: z.string(),
      at: LineNumber,
    }),
  ),
  /** The target's threads: how many, and when those that are there were started (11 deciles of age in seconds, youngest first). */
  threads: z.object({
    first: z.number().int(),
    last: z.number().int(),
    started: z.number().int(),
    ended: z.number().int(),
    ages: z.array(z.number()),
    at: LineNumber,
  }),
  limits: z
    .object({
      /** RLIMIT_NPROC, soft; null for unlimited or unknown. */
      processes: z.number().nullable(),
      /** pids.current and pids.max of the control group. */
      tasksUsed: z.number().nullable(),
      tasksMost: z.number().nullable(),
      /** RLIMIT_STACK, soft: the address space that a new thread's stack takes. */
      stackBytes: z.number().nullable(),
      at: LineNumber,
    })
    .nullable(),
});
export type ChildrenData = z.infer<typeof ChildrenData>;

/**
 * The process's relatives at both ends of the window: what their threads wait in, whether they moved, whether they were only
 * forked, their signal masks, and who has which end of which pipe. It reads /proc only (proc(5)) and opens no pipe: that
 * would keep its other end from seeing the end of file.
 */
export const children = defineProbe<ChildrenData>({
  id: 'children',
  title: 'Relatives, what they wait for, and the pipes between them',
  phase: 2,
  impacts: ['none'],
  ptraces: false,
  needs: { python: true, privilege: 'none' },
  limits: { seconds: ({ windowSeconds }) => windowSeconds + 10, bytes: 1_000_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: ChildrenData,
  command: ({ target, windowSeconds, known }) => ({
    argv: [
      known?.python ?? 'python3',
      '-I',
      '-S',
      '-B',
      '{script:children.py}',
      String(target.pid),
      target.startTime,
      String(windowSeconds),
      '{script:sample.syscalls}',
    ],
    scripts: [
      'children.py',
      'epolls.py',
      'family.py',
      'pipe_holders.py',
      'proc_files.py',
      'syscall_table.py',
      'sample.syscalls',
    ],
  }),
  parse: (evidence, { target }) => parseChildren(evidenceText(evidence), target.pid),
});
