import { z } from 'zod';
import {
  defineProbe,
  type Evidence,
  evidenceErrorText,
  evidenceLines,
  LineNumber,
  type Parsed,
  PythonFrame,
  type StepContext,
} from '../model/index.ts';
import { readNativeName, readPythonFrame } from './py-bt.parse.ts';

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

const readThreads = (lines: readonly string[]): PyBtThread[] => {
  const threads: PyBtThread[] = [];
  lines.forEach((line, index) => {
    const at = index + 1;
    const tid = /^TID (\d{1,10}):$/.exec(line)?.[1];
    if (tid !== undefined) {
      threads.push({ tid: Number(tid), frames: [], native: [], at });
      return;
    }
    const name = readNativeName(line);
    if (name !== null) threads.at(-1)?.native.push({ function: name, at });
    const frame = readPythonFrame(line);
    if (frame !== null) threads.at(-1)?.frames.push({ ...frame, holds: [], at });
  });
  return threads;
};

/** Why there are no stacks at all; `lines` hold what the scripts said, `all` also what gdb did. */
const cannot = (lines: readonly string[], all: string, pid: number): Extract<Parsed<PyBtData>, { ok: false }> => {
  const says = (start: string): boolean => lines.some((line) => line.startsWith(start));
  const tracer = /^== refused: already traced by process (\d{1,10})$/m.exec(all)?.[1];
  if (tracer !== undefined) {
    const why = `process ${pid} is already traced by process ${tracer}, and only one can trace it`;
    return { ok: false, reason: 'failed', why };
  }
  if (says('== missing: gdb')) return { ok: false, reason: 'missing-tool', why: 'gdb is not installed on the host' };
  if (says('== gone: ')) {
    return { ok: false, reason: 'target-gone', why: `process ${pid} had ended before gdb could attach` };
  }
  if (says('== denied: ') || /Operation not permitted|Permission denied/.test(all)) {
    const why = `gdb needs root, or the user of process ${pid} where ptrace_scope allows it`;
    return { ok: false, reason: 'no-permission', why };
  }
  if (/Scripting in the "Python" language is not supported/.test(all)) {
    return { ok: false, reason: 'missing-tool', why: 'the gdb of the host was built without Python' };
  }
  const attach = /^== not attached: (.*)$/m.exec(all)?.[1] ?? '';
  if (says('== '))
    return { ok: false, reason: 'failed', why: `gdb saw no thread${attach && `: ${attach.slice(0, 200)}`}` };
  return { ok: false, reason: 'not-parsable', why: 'the stacks could not be read' };
};

const parse = (evidence: Evidence, step: StepContext): Parsed<PyBtData> => {
  const lines = evidenceLines(evidence);
  const threads = readThreads(lines);
  const all = `${lines.join('\n')}\n${evidenceErrorText(evidence)}`;
  if (threads.every((thread) => thread.native.length === 0 && thread.frames.length === 0)) {
    return cannot(lines, all, step.target.pid);
  }
  const partly: string[] = [];
  const pythonFrames = threads.some((thread) => thread.frames.length > 0);
  const helper = /^== no helper: (.{1,300})/m.exec(all)?.[1];
  const unreadable = Number(/^== unreadable Python frames: (\d{1,9})$/m.exec(all)?.[1] ?? 0);
  if (helper !== undefined) {
    partly.push(
      `only C frames could be read: gdb's helper for Python is missing (${helper}); python3-dbg or the like brings it`,
    );
  } else if (!pythonFrames) {
    partly.push('only C frames could be read: the interpreter has no debug information, or is optimised too much');
  } else if (unreadable > 0) partly.push(`${unreadable} Python frames could not be read`);
  const late = all.match(/^== out of time$/gm)?.length ?? 0;
  if (late > 0)
    partly.push(`the stacks of ${late} threads were not read: the process would have been stopped for too long`);
  const cut = all.match(/^== (?:more frames than|no further frames)/gm)?.length ?? 0;
  if (cut > 0) partly.push(`${cut} threads have more C frames than are shown`);
  const stopped = /^== stopped for (\d{1,9}) ms$/m.exec(all)?.[1];
  if (stopped === undefined) partly.push('gdb was ended before it had finished');
  return {
    ok: true,
    data: { threads, pythonFrames, stoppedMs: stopped === undefined ? null : Number(stopped) },
    partly,
  };
};

const SECONDS_STOPPED = 5;
/** In the order in which gdb runs them; they share one namespace. */
const GDB_SCRIPTS = ['py-bt-symbols.gdb.py', 'py-bt-frames.gdb.py', 'py-bt.gdb.py'];

/**
 * Python and C stacks of all threads by gdb and CPython's own helper for it (Tools/gdb/libpython.py), with the local
 * variables of each frame on request (`locals`). Measured with 22 threads and 285 Python frames: the process is stopped
 * for 0.3 to 0.45 s, instead of 2.7 s by gdb's `thread apply all py-bt`, because symbols are loaded before the attach and
 * each place in the code is read once. After `seconds` of stop the remaining threads are left out. `holds` is always empty.
 */
export const pyBt = defineProbe<PyBtData>({
  id: 'py-bt',
  title: 'Python stacks by gdb',
  phase: 4,
  impacts: ['stops'],
  ptraces: true,
  needs: { anyOf: [['gdb']], pythonTarget: true, privilege: 'ptrace' },
  // Symbols of a big interpreter take gdb some seconds; the process is not stopped in them.
  limits: { seconds: () => 75, bytes: 4 * 1024 * 1024, endWith: 'KILL' },
  options: z.strictObject({
    locals: z.boolean().optional(),
    /** The longest that the process may be stopped. */
    seconds: z.number().int().min(1).max(10).optional(),
  }),
  data: PyBtData,
  command: (step) => {
    const seconds = typeof step.options.seconds === 'number' ? step.options.seconds : SECONDS_STOPPED;
    return {
      argv: [
        'sh',
        '{script:py-bt.sh}',
        String(step.target.pid),
        step.options.locals === true ? '1' : '0',
        String(seconds),
        '{script:ptrace-guard.sh}',
        ...GDB_SCRIPTS.map((name) => `{script:${name}}`),
      ],
      scripts: ['py-bt.sh', 'ptrace-guard.sh', ...GDB_SCRIPTS],
    };
  },
  parse,
});
