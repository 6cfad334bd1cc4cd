import type { PythonFrame, PythonStack } from '../model/index.ts';
import { inModule, lastName, STEADY } from './lock-frames.ts';
import { type PythonThreadView, shareWhere } from './python.ts';

/** What a Python thread waits for in the standard library, as its frames say. */
export type PythonWaitKind =
  | 'queue-get'
  | 'queue-put'
  | 'queue-join'
  | 'event'
  | 'condition'
  | 'semaphore'
  | 'barrier'
  | 'thread-join'
  | 'shutdown'
  | 'pool-result'
  | 'future'
  | 'process-queue'
  | 'process-lock'
  | 'connection'
  /** A wait in C that the program's own code called: `SimpleQueue.get`, `lock.acquire`. */
  | 'native';

export interface PythonWait {
  readonly kind: PythonWaitKind;
  /** The library's function that the program called: `Queue.get`; null for a wait in C. */
  readonly call: PythonFrame | null;
  /** The frame that called it; null when the library's own thread waits. */
  readonly caller: PythonFrame | null;
  readonly stack: PythonStack;
}

const LIBRARY =
  /\/(threading|queue|Queue|selectors)\.py$|\/multiprocessing\/(pool|queues|connection|synchronize|process|popen_fork|popen_spawn_posix|popen_forkserver|context|util|forking)\.py$|\/concurrent\/futures\/(_base|thread|process)\.py$/;

type Rule = readonly [file: string, name: RegExp, kind: PythonWaitKind];

/** Outermost first: the first that is met from outside in says what the program called. */
const RULES: readonly Rule[] = [
  ['multiprocessing/pool.py', /^(get|wait|next|map|starmap|apply|join)$/, 'pool-result'],
  ['concurrent/futures/_base.py', /^(result|exception|wait|as_completed|result_iterator)$/, 'future'],
  ['multiprocessing/queues.py', /^(get|put|join)$/, 'process-queue'],
  ['multiprocessing/synchronize.py', /^(__enter__|acquire|wait|wait_for)$/, 'process-lock'],
  ['multiprocessing/connection.py', /^(recv|recv_bytes|_recv|_recv_bytes)$/, 'connection'],
  ['queue.py', /^get$/, 'queue-get'],
  ['Queue.py', /^get$/, 'queue-get'],
  ['queue.py', /^put$/, 'queue-put'],
  ['Queue.py', /^put$/, 'queue-put'],
  ['queue.py', /^join$/, 'queue-join'],
  ['Queue.py', /^join$/, 'queue-join'],
  ['threading.py', /^(_shutdown|_exitfunc|__bootstrap_exit)$/, 'shutdown'],
  ['threading.py', /^(join|_wait_for_tstate_lock)$/, 'thread-join'],
  ['threading.py', /^(acquire|__enter__)$/, 'semaphore'],
];

const kindOf = (frames: readonly PythonFrame[]): { kind: PythonWaitKind; frame: PythonFrame } | null => {
  const outward = frames.toReversed();
  for (const frame of outward) {
    const rule = RULES.find(([file, name]) => inModule(frame, file) && name.test(lastName(frame)));
    if (rule !== undefined) return { kind: rule[2], frame };
  }
  const waits = outward.filter((frame) => inModule(frame, 'threading.py') && /^_?wait(_for)?$/.test(lastName(frame)));
  const [outer] = waits;
  if (outer === undefined) return null;
  if (waits.some((frame) => lastName(frame) === '_wait' || lastName(frame).startsWith('Barrier')))
    return { kind: 'barrier', frame: outer };
  return { kind: waits.length > 1 && lastName(outer) === 'wait' ? 'event' : 'condition', frame: outer };
};

/** What a stack waits for, if its innermost frames are the library's or it may wait in C. */
export const waitOfStack = (stack: PythonStack): PythonWait => {
  const at = stack.frames.findIndex((frame) => !LIBRARY.test(frame.file));
  const library = at < 0 ? stack.frames : stack.frames.slice(0, at);
  const found = kindOf(library);
  if (found === null) return { kind: 'native', call: null, caller: stack.frames[at < 0 ? 0 : at] ?? null, stack };
  return { kind: found.kind, call: found.frame, caller: at < 0 ? null : (stack.frames[at] ?? null), stack };
};

/** What the thread waited for in (nearly) all samples; null when it was in more than one place. */
export const steadyWait = (thread: PythonThreadView): PythonWait | null => {
  const stack = thread.stacks[0];
  const inner = stack?.frames[0];
  if (stack === undefined || inner === undefined) return null;
  const same = (other: PythonStack): boolean =>
    other.frames.length === stack.frames.length &&
    other.frames.every((frame, index) => {
      const mine = stack.frames[index];
      return (
        mine !== undefined && frame.file === mine.file && frame.function === mine.function && frame.line === mine.line
      );
    });
  return shareWhere(thread, same) >= STEADY ? waitOfStack(stack) : null;
};
