import type { Look, PythonFrame, PythonStack, Quote } from '../model/index.ts';
import { nativeStacks } from '../probes/native-stacks.ts';
import { pyBt } from '../probes/py-bt.ts';
import type { Motion, SourceLine } from '../probes/py-stacks.motion.ts';
import { pyStacks } from '../probes/py-stacks.ts';
import { code, lineRange } from './text.ts';

/** A C function on a thread's stack and the evidence line that shows it. */
export interface NativeCall {
  readonly function: string;
  /** Shared object or executable, when the tool names it. */
  readonly module: string | null;
  readonly evidenceId: string;
  readonly at: number;
}

/** One thread with Python frames, whichever reader saw it: many samples from py-stacks, a single one from py-bt. */
export interface PythonThreadView {
  /** Kernel thread id; null when the interpreter does not record it. */
  readonly tid: number | null;
  /** threading's name for it; empty when not known. */
  readonly name: string;
  /** The process's first thread: the one whose tid is the pid. */
  readonly main: boolean;
  readonly from: 'py-stacks' | 'py-bt';
  readonly evidenceId: string;
  /** Samples whose stack is among `stacks`: the sum of their counts. */
  readonly samples: number;
  /** Samples that were taken and whose stack is not among `stacks` (torn, or beyond the limit). */
  readonly missed: number;
  /** Samples in which it held the interpreter lock; null when the reader cannot tell. */
  readonly gil: number | null;
  /** Distinct stacks, most often seen first; frames innermost first. */
  readonly stacks: readonly PythonStack[];
  /** The lock that it waits for in its innermost frame, where that can be told. */
  readonly waitsFor: {
    readonly type: string;
    readonly address: string;
    readonly ownerTid: number | null;
    readonly at: number;
  } | null;
  /** What its variables did while it ran; null when it was not seen to run, or nothing could be read of it. */
  readonly motion: Motion | null;
  /** C functions, innermost first, from native-stacks or py-bt; empty when neither ran. */
  readonly native: readonly NativeCall[];
  /** The evidence line that introduces the thread. */
  readonly at: number;
}

/** All Python threads of the process, in one shape. */
export interface PythonView {
  readonly threads: readonly PythonThreadView[];
  /** Whether the threads were seen over a window; false when there is only one moment (py-bt). */
  readonly sampled: boolean;
  /** Seconds of the window; 0 for one moment. */
  readonly seconds: number;
  /** Source text of the functions in which running threads were, where it could be found. */
  readonly source: readonly SourceLine[];
}

/** A frame that a thread was in during (nearly) all samples, at one depth of its stack. */
export interface SteadyFrame {
  /** 0 is the outermost frame. */
  readonly depth: number;
  readonly function: string;
  readonly file: string;
  readonly firstLine: number;
  /** The lines that were executed there, ascending; one line means that the call did not move on. */
  readonly lines: readonly number[];
  /** How many samples were in each line. */
  readonly counts: ReadonlyMap<number, number>;
  /** Samples in which the frame was the innermost one. */
  readonly innermost: number;
  /** A frame of the most often seen stack, for quoting. */
  readonly frame: PythonFrame;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** C functions of one thread: native-stacks (eu-stack or gdb) first, else what py-bt saw around the Python frames. */
export const nativeCalls = (look: Look, tid: number): NativeCall[] => {
  const native = look.see(nativeStacks);
  const inNative = native.seen ? native.data.threads.find((thread) => thread.tid === tid) : undefined;
  if (native.seen && inNative?.frames.some((frame) => frame.function !== null))
    return inNative.frames.map((frame) => ({
      function: frame.function ?? frame.address,
      module: frame.module,
      evidenceId: native.evidenceId,
      at: frame.at,
    }));
  const bt = look.see(pyBt);
  const inBt = bt.seen ? bt.data.threads.find((thread) => thread.tid === tid) : undefined;
  if (!bt.seen || inBt === undefined) return [];
  return inBt.native.map((call) => ({ ...call, module: null, evidenceId: bt.evidenceId }));
};

const fromSamples = (look: Look): PythonView | null => {
  const seen = look.see(pyStacks);
  if (!seen.seen) return null;
  const threads = seen.data.threads.map((thread): PythonThreadView => {
    const samples = sum(thread.stacks.map((stack) => stack.count));
    return {
      tid: thread.tid,
      name: thread.name,
      main: thread.tid === look.target.pid,
      from: 'py-stacks',
      evidenceId: seen.evidenceId,
      samples,
      missed: Math.max(thread.unread + thread.otherStacks, thread.samples - samples, 0),
      gil: thread.gil,
      stacks: thread.stacks,
      waitsFor: thread.waitsFor,
      motion: thread.motion,
      native: thread.tid === null ? [] : nativeCalls(look, thread.tid),
      at: thread.at,
    };
  });
  return { threads, sampled: true, seconds: seen.data.seconds, source: seen.data.source };
};

const fromMoment = (look: Look): PythonThreadView[] => {
  const seen = look.see(pyBt);
  if (!seen.seen || !seen.data.pythonFrames) return [];
  return seen.data.threads
    .filter((thread) => thread.frames.length > 0)
    .map((thread) => ({
      tid: thread.tid,
      name: '',
      main: thread.tid === look.target.pid,
      from: 'py-bt',
      evidenceId: seen.evidenceId,
      samples: 1,
      missed: 0,
      gil: null,
      stacks: [{ count: 1, frames: thread.frames }],
      waitsFor: null,
      motion: null,
      native: nativeCalls(look, thread.tid),
      at: thread.at,
    }));
};

/**
 * The Python threads as the causes see them, or null when nothing read Python frames. py-stacks is preferred, thread by
 * thread, because it saw a whole window; a thread that only py-bt could read comes from there.
 */
export const pythonThreads = (look: Look): PythonView | null => {
  const sampled = fromSamples(look);
  const readable = sampled?.threads.filter((thread) => thread.samples > 0) ?? [];
  const known = new Set(readable.map((thread) => thread.tid));
  const moment = fromMoment(look).filter((thread) => !known.has(thread.tid));
  const threads = [...readable, ...moment];
  if (threads.length === 0) return null;
  return { threads, sampled: readable.length > 0, seconds: sampled?.seconds ?? 0, source: sampled?.source ?? [] };
};

/** The thread with this kernel thread id, if its Python frames were read. */
export const threadOf = (view: PythonView | null, tid: number): PythonThreadView | null =>
  view?.threads.find((thread) => thread.tid === tid) ?? null;

/**
 * Whether a file belongs to the interpreter or to an installed package and not to the program itself: frozen modules,
 * `lib/pythonX.Y`, `site-packages` and `dist-packages` (site module, sysconfig's install schemes).
 */
export const isLibraryFile = (file: string): boolean =>
  /^<frozen |(^|\/)(site|dist)-packages\/|(^|\/)lib(64)?\/(python|pypy)\d[\w.]*\/|(^|\/)python\d+\.zip\//.test(file);

/** The innermost frame of the program's own code; the innermost of all when the stack is all library. */
export const ownFrame = (stack: PythonStack): PythonFrame | null =>
  stack.frames.find((frame) => !isLibraryFile(frame.file)) ?? stack.frames[0] ?? null;

/** `` `Pool.pick` (/srv/app/pool.py:49) ``, for sentences. */
export const frameName = (frame: PythonFrame): string =>
  `${code(frame.function)} (${code(`${frame.file}:${frame.line}`)})`;

/** `` `Pool.pick` (/srv/app/pool.py:49-53) ``, for a frame that was seen in several lines. */
export const steadyName = (frame: SteadyFrame): string =>
  `${code(frame.function)} (${code(`${frame.file}:${lineRange(frame.lines)}`)})`;

/** How a thread is called in sentences: `the main thread`, `thread 4711 (worker-3)`. */
export const threadName = (thread: { tid: number | null; name: string; main: boolean }): string => {
  if (thread.main) return 'the main thread';
  const name = thread.name === '' ? '' : ` (${code(thread.name, 60)})`;
  return thread.tid === null ? `a thread${name}` : `thread ${thread.tid}${name}`;
};

/** Samples of the thread whose stack satisfies `holds`. */
export const samplesWhere = (thread: PythonThreadView, holds: (stack: PythonStack) => boolean): number =>
  sum(thread.stacks.filter(holds).map((stack) => stack.count));

/** The samples' share, 0 to 1, whose stack satisfies `holds`; missed samples count as not. */
export const shareWhere = (thread: PythonThreadView, holds: (stack: PythonStack) => boolean): number =>
  thread.samples + thread.missed === 0 ? 0 : samplesWhere(thread, holds) / (thread.samples + thread.missed);

const identity = (frame: PythonFrame): string => `${frame.file}\0${frame.function}\0${frame.firstLine}`;

/**
 * The frames that stay from the outermost inwards: at each depth the function that is there in at least `share` of the
 * read samples, as far in as there is one. Samples that left the path do not count further in.
 */
export const steadyFrames = (thread: PythonThreadView, share = 0.95): SteadyFrame[] => {
  const steady: SteadyFrame[] = [];
  let stacks = thread.stacks.map((stack) => ({ count: stack.count, frames: stack.frames.toReversed() }));
  for (let depth = 0; ; depth += 1) {
    const groups = new Map<string, typeof stacks>();
    for (const stack of stacks) {
      const frame = stack.frames[depth];
      if (frame === undefined) continue;
      const same = groups.get(identity(frame));
      if (same === undefined) groups.set(identity(frame), [stack]);
      else same.push(stack);
    }
    const best = [...groups.values()].sort((a, b) => sum(b.map((s) => s.count)) - sum(a.map((s) => s.count)))[0];
    if (best === undefined || sum(best.map((stack) => stack.count)) < share * thread.samples) return steady;
    const first = best[0]?.frames[depth] as PythonFrame;
    const counts = new Map<number, number>();
    for (const stack of best) {
      const line = (stack.frames[depth] as PythonFrame).line;
      counts.set(line, (counts.get(line) ?? 0) + stack.count);
    }
    steady.push({
      depth,
      function: first.function,
      file: first.file,
      firstLine: first.firstLine,
      lines: [...counts.keys()].sort((a, b) => a - b),
      counts,
      innermost: sum(best.filter((stack) => stack.frames.length === depth + 1).map((stack) => stack.count)),
      frame: first,
    });
    stacks = best;
  }
};

/** The evidence line that shows a frame of this thread. */
export const quoteFrame = (look: Look, thread: PythonThreadView, frame: PythonFrame): Quote =>
  look.quote(thread.evidenceId, frame.at);

/**
 * A stack as quotes: the innermost `inner` frames and, further out, the first frame of the program's own code when those
 * are all library. Innermost first.
 */
export const quoteStack = (look: Look, thread: PythonThreadView, stack: PythonStack, inner = 3): Quote[] => {
  const frames = stack.frames.slice(0, inner);
  const own = ownFrame(stack);
  if (own !== null && !frames.includes(own)) frames.push(own);
  return frames.map((frame) => quoteFrame(look, thread, frame));
};
