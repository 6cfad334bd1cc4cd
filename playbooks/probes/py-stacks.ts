import { z } from 'zod';
import { defineProbe, LineNumber, PythonStack } from '../model/index.ts';
import { parsePyStacks } from '../reading/py-stacks.ts';
import { Motion, SourceLine } from './py-stacks.motion.ts';
import { VARIABLE_READERS } from './py-stacks.readers.ts';
import { Turns } from './py-stacks.turns.ts';

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
  /** What its variables did, when it was seen to run; null for one that waited, and where they cannot be read. */
  motion: Motion.nullable(),
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
  /** Source text of the functions in which running threads were, where their files could be found. */
  source: z.array(SourceLine),
  /** asyncio's tasks that are not done, looked at early in the window and at its end; absent where there are none. */
  tasks: Turns.optional(),
  /** Greenlets (gevent, eventlet) that are not running, looked at in the same way; absent without greenlets. */
  greenlets: Turns.optional(),
});
export type PyStacksData = z.infer<typeof PyStacksData>;

/** The script, and the modules that it loads from its own folder. */
const SCRIPT = 'py-stacks.py';
const MODULES = [
  ...VARIABLE_READERS,
  'py_read_pools.py',
  'py_read_strands.py',
  'py_read_sockets.py',
  'py_read_suspended.py',
  'py_read_tasks.py',
  'py_read_greenlets.py',
  'py_read_offsets_turns.py',
  'py_read_limits.py',
  'py_read_timeouts.py',
  'py_read_turns.py',
] as const;

const Options = z.strictObject({
  /** Looks a second; fewer where looking would cost more than half a CPU. */
  hz: z.number().min(0.1).max(200).default(20),
});

/**
 * Python stacks of all threads, many times over the window, read from the process's memory (process_vm_readv(2),
 * /proc/PID/mem) while it runs: it is not attached to and not stopped. CPython 2.7 and 3.6 to 3.14.
 */
export const pyStacks = defineProbe<PyStacksData>({
  id: 'py-stacks',
  title: 'Python stacks of all threads, without stopping the process',
  phase: 2,
  impacts: ['none'],
  ptraces: false,
  needs: { python: true, pythonTarget: true, privilege: 'ptrace' },
  limits: { seconds: (step) => step.windowSeconds + 15, bytes: 2_000_000, endWith: 'TERM' },
  options: Options,
  data: PyStacksData,
  command: ({ target, windowSeconds, known, options }) => ({
    // -I -S: nothing of the host's site-packages, environment or current folder comes in; -B: nothing is written.
    argv: [
      known?.python ?? 'python3',
      '-I',
      '-S',
      '-B',
      `{script:${SCRIPT}}`,
      String(target.pid),
      target.startTime,
      String(windowSeconds),
      String(Options.parse(options).hz),
    ],
    scripts: [SCRIPT, ...MODULES],
  }),
  parse: parsePyStacks,
});
