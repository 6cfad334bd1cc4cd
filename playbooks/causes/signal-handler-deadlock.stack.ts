import type { Look, PythonFrame, PythonStack } from '../model/index.ts';
import { className, lastName, sameFunction, waitsForEvent } from '../reading/lock-frames.ts';
import type { EvidenceLine, FileWait } from '../reading/lock-waits.ts';
import type { PythonThreadView, PythonView } from '../reading/python.ts';
import { type HandlerRun, inHandler } from '../reading/signals.ts';

/** The lock that a handler waits for. */
export type WantedLock =
  | { readonly kind: 'file'; readonly wait: FileWait }
  /** `through`: the handler waits for that thread, and only it for the lock. */
  | { readonly kind: 'memory'; readonly type: string; readonly through: PythonThreadView | null }
  /** Something that other code must bring: an event, room in a queue, the end of a thread. */
  | { readonly kind: 'event'; readonly type: string }
  /** A lock between processes that lives in shared memory (multiprocessing). */
  | { readonly kind: 'shared'; readonly type: string };

/** A thread whose signal handler waits for a lock that the interrupted code of the same thread has. */
export interface SelfWait {
  readonly thread: PythonThreadView;
  readonly stack: PythonStack;
  /** Innermost first. */
  readonly runs: readonly HandlerRun[];
  /** Samples in which a handler was on the stack. */
  readonly share: number;
  readonly lock: WantedLock;
  readonly confidence: number;
  /** What was not seen directly; null when all was. */
  readonly inferred: string | null;
  /** The interrupted frame that has the lock; null when it cannot be told which. */
  readonly holder: PythonFrame | null;
  readonly lines: readonly EvidenceLine[];
}

/** What was made of one thread. */
export type Opinion =
  | { readonly kind: 'self'; readonly wait: SelfWait }
  | { readonly kind: 'other'; readonly why: string }
  | { readonly kind: 'untold'; readonly why: string; readonly wants: readonly string[] };

/** A thread must have a handler on its stack in this share of the samples, or the handler comes to its end. */
export const INSIDE = 0.9;

/** The stack to show: of those with a handler, the one whose innermost function is the usual one and that is shortest. */
export const representative = (thread: PythonThreadView): PythonStack | null => {
  const stacks = thread.stacks.filter(inHandler);
  const counts = new Map<string, number>();
  const key = (stack: PythonStack) => `${stack.frames[0]?.file}:${stack.frames[0]?.function}`;
  for (const stack of stacks) counts.set(key(stack), (counts.get(key(stack)) ?? 0) + stack.count);
  const usual = [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
  return stacks.filter((stack) => key(stack) === usual).sort((a, b) => a.frames.length - b.frames.length)[0] ?? null;
};

/** Locks that their own thread may take again, so that it never waits for them (threading.RLock, logging's handlers). */
const REENTRANT = /(^|[._])RLock$/;

/**
 * The interrupted frame that seems to have the lock: it runs through the same code as the waiting handler does, the
 * nearer to the lock the better, or is inside of a `with` of the type that the handler is about to enter.
 */
export const likelyHolder = (run: HandlerRun): PythonFrame | null => {
  const inside = run.inside.filter((frame) => frame.signal === null);
  const common = inside.flatMap((frame) =>
    run.interrupted.filter((other) => other.signal === null && sameFunction(frame, other)),
  );
  const entering = inside.filter((frame) => /^(__enter__|acquire)$/.test(lastName(frame)));
  return (
    common.find((frame) => frame.holds.some((held) => !REENTRANT.test(held.type))) ??
    run.interrupted.find((frame) =>
      frame.holds.some((held) => entering.some((other) => className(other) === held.type)),
    ) ??
    common.find((frame) => !/^(__enter__|acquire)$/.test(lastName(frame))) ??
    null
  );
};

/** The evidence line of a frame. */
export const frameLine = (thread: PythonThreadView, frame: PythonFrame): EvidenceLine => ({
  evidenceId: thread.evidenceId,
  at: frame.at,
});

/** A thread with a handler on its stack, and what it is judged by. */
export interface Scene {
  readonly look: Look;
  readonly view: PythonView;
  readonly thread: PythonThreadView;
  readonly stack: PythonStack;
  readonly runs: readonly HandlerRun[];
  readonly run: HandlerRun;
  readonly share: number;
  /** Whether no other thread exists that could hold or release a lock. */
  readonly alone: boolean;
}

/** An opinion that the handler waits for its own thread, with the lines that show it. */
export const selfWait = (
  scene: Scene,
  lock: WantedLock,
  found: {
    confidence: number;
    inferred?: string;
    holder: PythonFrame | null;
    /** Address of the lock, where it is known. */
    address?: string;
    lines: readonly EvidenceLine[];
  },
): Opinion => {
  const { thread, stack, runs, run, share } = scene;
  const waiting = run.inside[0] ?? run.handler;
  const shown = found.holder ?? run.interrupted[0];
  const frames = [waiting, run.handler, ...(shown === undefined ? [] : [shown])];
  // The lines that say what a frame holds stand right below it.
  const which = found.holder?.holds.findIndex((each) =>
    found.address === undefined ? !REENTRANT.test(each.type) : each.address === found.address,
  );
  const held = found.holder?.holds.length
    ? [{ evidenceId: thread.evidenceId, at: found.holder.at + 1 + Math.max(0, which ?? 0) }]
    : [];
  return {
    kind: 'self',
    wait: {
      thread,
      stack,
      runs,
      share,
      lock,
      confidence: found.confidence,
      inferred: found.inferred ?? null,
      holder: found.holder,
      lines: [...frames.map((frame) => frameLine(thread, frame)), ...held, ...found.lines].filter(
        (line, index, all) =>
          all.findIndex((each) => each.evidenceId === line.evidenceId && each.at === line.at) === index,
      ),
    },
  };
};

/** Whether Condition.wait stands between the frame and the handler: it gives the lock back while it waits. */
export const gaveBack = (run: HandlerRun, holder: PythonFrame): boolean =>
  run.interrupted.slice(0, run.interrupted.indexOf(holder)).some(waitsForEvent);
