import type { PythonFrame, PythonStack } from '../model/index.ts';
import { type PythonThreadView, type PythonView, shareWhere } from './python.ts';

/** What Python frames say about locks in memory. */

/** A function's name without its class. */
export const lastName = (frame: PythonFrame): string => frame.function.slice(frame.function.lastIndexOf('.') + 1);

/** The class in a qualified name; empty where there is none, as before Python 3.11. */
export const className = (frame: PythonFrame): string =>
  frame.function.slice(0, Math.max(0, frame.function.lastIndexOf('.')));

/** Whether a frame is in a file of the standard library of this name. */
export const inModule = (frame: PythonFrame, file: string): boolean => frame.file.endsWith(`/${file}`);

/** Whether two frames run the same code. */
export const sameFunction = (a: PythonFrame, b: PythonFrame): boolean =>
  a.file === b.file && a.function === b.function && a.firstLine === b.firstLine;

/** Frames in which threading waits for an event or for a thread and not for a lock (Lib/threading.py). */
export const waitsForEvent = (frame: PythonFrame): boolean =>
  inModule(frame, 'threading.py') && /^(wait|join|_wait_for_tstate_lock)$/.test(lastName(frame));

/** A lock's waiter must be seen there in this share of the samples. */
export const STEADY = 0.9;

/** Whether the thread was in one place throughout: the same line of the same innermost function. */
export const steadyInnermost = (thread: PythonThreadView, stack: PythonStack): boolean => {
  const inner = stack.frames[0];
  const same = (other: PythonStack) =>
    inner !== undefined &&
    other.frames[0] !== undefined &&
    sameFunction(other.frames[0], inner) &&
    other.frames[0].line === inner.line;
  return shareWhere(thread, same) >= STEADY;
};

/**
 * The frame among `frames` (innermost first) that is inside of a `with` on the lock at this address. None while
 * Condition.wait stands further in, because it gives the lock back until it returns.
 */
export const holdingFrame = (frames: readonly PythonFrame[], address: string): PythonFrame | null => {
  const index = frames.findIndex((frame) => frame.holds.some((held) => held.address === address));
  const frame = frames[index];
  return frame === undefined || frames.slice(0, index).some(waitsForEvent) ? null : frame;
};

/** The evidence line that says that `frame` holds the lock at this address, or some lock: it stands below the frame's. */
export const holdLine = (frame: PythonFrame, address?: string): number =>
  frame.at + 1 + Math.max(0, address === undefined ? 0 : frame.holds.findIndex((held) => held.address === address));

/** A thread that waits for a lock in memory all the time. */
export interface MemoryWait {
  readonly thread: PythonThreadView;
  /** Its usual stack. */
  readonly stack: PythonStack;
  readonly type: string;
  readonly address: string;
  readonly at: number;
  readonly holder: {
    readonly thread: PythonThreadView;
    /** Null when the lock names its owner but no frame is inside of a `with` on it. */
    readonly frame: PythonFrame | null;
  } | null;
}

const holderOf = (view: PythonView, waiter: PythonThreadView, address: string, ownerTid: number | null) => {
  const candidates = ownerTid === null ? [waiter, ...view.threads.filter((each) => each !== waiter)] : view.threads;
  for (const thread of candidates) {
    if (ownerTid !== null && thread.tid !== ownerTid) continue;
    const frame = holdingFrame(thread.stacks[0]?.frames ?? [], address);
    if (frame !== null || ownerTid !== null) return { thread, frame };
  }
  return null;
};

/** The threads that waited for one lock throughout, and who has it; waits for events and for threads are none. */
export const memoryWaits = (view: PythonView): MemoryWait[] =>
  view.threads.flatMap((thread): MemoryWait[] => {
    const stack = thread.stacks[0];
    const inner = stack?.frames[0];
    const { waitsFor } = thread;
    if (stack === undefined || inner === undefined || waitsFor === null) return [];
    if (waitsForEvent(inner) || !steadyInnermost(thread, stack)) return [];
    const { type, address, ownerTid, at } = waitsFor;
    return [{ thread, stack, type, address, at, holder: holderOf(view, thread, address, ownerTid) }];
  });
