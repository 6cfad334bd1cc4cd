import type { PythonFrame, PythonStack } from '../model/index.ts';
import type { Turns } from '../probes/py-stacks.turns.ts';
import { isLibraryFile, type PythonThreadView, samplesWhere } from './python.ts';

/** Libraries whose event loop runs in Python frames that can be told. */
export type LoopKind = 'asyncio' | 'uvloop' | 'eventlet' | 'gevent' | 'twisted' | 'tornado';

/** Where one stack is in an event loop: waiting for events, between callbacks, or inside a callback. */
export interface LoopSpot {
  readonly kind: LoopKind;
  readonly doing: 'waits' | 'turns' | 'callback';
  /** Frames of the callback, innermost first; empty unless it is inside of one. */
  readonly callback: readonly PythonFrame[];
}

const plain = (frame: PythonFrame): string => frame.function.slice(frame.function.lastIndexOf('.') + 1);

const is = (frame: PythonFrame | undefined, file: RegExp, name: RegExp): boolean =>
  frame !== undefined && file.test(frame.file) && name.test(plain(frame));

/** A loop that is a frame with its callbacks inside of it. */
interface FramedLoop {
  readonly kind: LoopKind;
  readonly file: RegExp;
  readonly name: RegExp;
  /** Frames right inside of the loop in which it waits for events. */
  readonly waits: readonly [file: RegExp, name: RegExp];
  /** The frame that calls callbacks; null when the loop itself does. */
  readonly calls: readonly [file: RegExp, name: RegExp] | null;
}

const FRAMED: readonly FramedLoop[] = [
  {
    kind: 'asyncio',
    file: /(^|\/)asyncio\/base_events\.py$/,
    name: /^_run_once$/,
    waits: [/(^|\/)selectors\.py$/, /^_?select$/],
    calls: [/(^|\/)asyncio\/events\.py$/, /^_run$/],
  },
  {
    kind: 'twisted',
    file: /(^|\/)twisted\/internet\/(base|_signals)\.py$/,
    name: /^mainLoop$/,
    waits: [/(^|\/)twisted\/internet\/\w*reactor\.py$/, /^do(Poll|Select|EPoll|Iteration)|^doWaitForMultipleEvents$/],
    calls: [/(^|\/)twisted\/internet\/\w+\.py$/, /^(runUntilCurrent|_doReadOrWrite)$/],
  },
  {
    kind: 'tornado',
    file: /(^|\/)tornado\/ioloop\.py$/,
    name: /^start$/,
    waits: [/(^|\/)tornado\/platform\/\w+\.py$/, /^poll$/],
    calls: [/(^|\/)tornado\/(ioloop|stack_context)\.py$/, /^(_run_callback|null_wrapper|wrapped|_run)$/],
  },
];

const inFramed = (frames: readonly PythonFrame[], loop: FramedLoop): LoopSpot | null => {
  const at = frames.findIndex((frame) => is(frame, loop.file, loop.name));
  if (at < 0) return null;
  const inside = frames.slice(0, at);
  const call = loop.calls === null ? -1 : inside.findLastIndex((frame) => is(frame, ...(loop.calls ?? loop.waits)));
  const callback = inside.slice(0, Math.max(0, call));
  if (callback.length > 0) return { kind: loop.kind, doing: 'callback', callback };
  return { kind: loop.kind, doing: is(inside.at(-1), ...loop.waits) ? 'waits' : 'turns', callback: [] };
};

/** Functions that run an asyncio loop to its end, of asyncio itself and of servers that do it without `asyncio.run`. */
const RUNNERS: readonly (readonly [file: RegExp, name: RegExp])[] = [
  [/(^|\/)(asyncio\/runners|uvloop\/__init__)\.py$/, /^run$/],
  [/(^|\/)uvicorn\/(server|workers|_compat)\.py$/, /^(run|asyncio_run)$/],
  [/(^|\/)aiohttp\/web\.py$/, /^run_app$/],
  [/(^|\/)sanic\/server\/runners\.py$/, /^_?serve\w*$/],
  [/(^|\/)hypercorn\/asyncio\/run\.py$/, /^_run$/],
];

/**
 * uvloop runs its loop in C between what runs it and the coroutine: no frame of asyncio's own loop lies between them. The
 * coroutine is often a server's, with the program's own further in.
 */
const inUvloop = (frames: readonly PythonFrame[]): LoopSpot | null => {
  const at = frames.findIndex((frame) => RUNNERS.some((runner) => is(frame, ...runner)));
  const inner = frames[at - 1];
  if (at < 1 || inner === undefined || /(^|\/)(asyncio|uvloop)\//.test(inner.file)) return null;
  return { kind: 'uvloop', doing: 'callback', callback: frames.slice(0, at) };
};

const GREEN_HUB = /(^|\/)(eventlet\/hubs\/\w+|gevent\/_?_?hub\w*)\.py$/;

/**
 * A greenlet that runs has the thread's stack for itself, from the function that it was started with; the hub's frames are
 * then on another stack. So a stack is the hub's, or a greenlet's that has not given way yet.
 */
const inGreenlet = (frames: readonly PythonFrame[]): LoopSpot | null => {
  const outer = frames.at(-1);
  if (outer === undefined) return null;
  const kind = /(^|\/)eventlet\//.test(outer.file) ? 'eventlet' : /(^|\/)gevent\//.test(outer.file) ? 'gevent' : null;
  if (kind === null || /(^|\/)gevent\/(threadpool|_threading|monkey)\b/.test(outer.file)) return null;
  if (GREEN_HUB.test(outer.file)) {
    const callback = frames.filter((frame) => !/(^|\/)(eventlet|gevent)\//.test(frame.file));
    const own = callback.some((frame) => !isLibraryFile(frame.file));
    if (own) return { kind, doing: 'callback', callback };
    return {
      kind,
      doing: frames.some((frame) => is(frame, GREEN_HUB, /^(wait|do_poll|run)$/)) ? 'waits' : 'turns',
      callback: [],
    };
  }
  // Giving way is a call into the hub, after which the stack is the hub's.
  return frames.length < 2 ? { kind, doing: 'turns', callback: [] } : { kind, doing: 'callback', callback: frames };
};

/** Where a stack is in an event loop; null when it is in none that can be told. */
export const loopSpot = (stack: PythonStack): LoopSpot | null => {
  for (const loop of FRAMED) {
    const spot = inFramed(stack.frames, loop);
    if (spot !== null) return spot;
  }
  return inGreenlet(stack.frames) ?? inUvloop(stack.frames);
};

/** What a thread that runs an event loop did over the window, as shares of its samples, 0 to 1. */
export interface LoopThread {
  readonly thread: PythonThreadView;
  readonly kind: LoopKind;
  readonly callback: number;
  readonly waits: number;
  readonly turns: number;
  /** The stack with a callback that was seen most often; null when none was. */
  readonly stack: PythonStack | null;
  /** Its part inside the callback, innermost first. */
  readonly frames: readonly PythonFrame[];
}

/**
 * The library whose hub is suspended on this thread: a greenlet runs then, whatever its stack begins with. Null when none
 * was seen to be. `greenlets`: those that do not run, as py-stacks saw them.
 */
export const suspendedHub = (greenlets: Turns | undefined, tid: number | null): LoopKind | null => {
  const hub = greenlets?.groups.find(
    (group) =>
      group.tid === tid && group.still > 0 && group.stack.frames.some((frame) => is(frame, GREEN_HUB, /^run$/)),
  );
  if (hub === undefined || tid === null) return null;
  return hub.stack.frames.some((frame) => /(^|\/)eventlet\//.test(frame.file)) ? 'eventlet' : 'gevent';
};

/** The event loop that a thread was in for most of the window; null when it was in none. `hub`: see `suspendedHub`. */
export const loopThread = (thread: PythonThreadView, hub: LoopKind | null = null): LoopThread | null => {
  const spots = thread.stacks.map((stack) => ({
    stack,
    spot: loopSpot(stack) ?? (hub === null ? null : { kind: hub, doing: 'callback' as const, callback: stack.frames }),
  }));
  const share = (doing: LoopSpot['doing']) =>
    thread.samples === 0
      ? 0
      : samplesWhere(thread, (stack) => spots.find((each) => each.stack === stack)?.spot?.doing === doing) /
        thread.samples;
  const [callback, waits, turns] = [share('callback'), share('waits'), share('turns')];
  const first = spots.find((each) => each.spot !== null)?.spot;
  if (first === undefined || first === null || callback + waits + turns < 0.5) return null;
  const most = spots.find((each) => each.spot?.doing === 'callback');
  return {
    thread,
    kind: first.kind,
    callback,
    waits,
    turns,
    stack: most?.stack ?? null,
    frames: most?.spot?.callback ?? [],
  };
};
