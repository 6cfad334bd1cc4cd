import type { Look, Quote } from '../model/index.ts';
import { pyHeap } from '../probes/py-heap.ts';
import { growersIn, ownsMemory } from '../reading/heap.ts';
import type { MemoryView } from '../reading/memory.ts';
import { lastReading } from '../reading/memory-division.ts';
import {
  frameName,
  ownFrame,
  type PythonThreadView,
  pythonThreads,
  quoteFrame,
  samplesWhere,
  threadName,
} from '../reading/python.ts';
import { percent } from '../reading/text.ts';

/** Growth of what malloc has in use, between its two looks. */
export interface NativeGrowth {
  readonly kib: number;
  readonly seconds: number;
  /** `in malloc's arenas`, `in chunks with a mapping of their own`. */
  readonly where: string;
  /** Sizes of chunks of which there were most more, in bytes with their header. */
  readonly sizes: readonly { readonly size: number; readonly more: number }[];
  /** Whether no chunk came, and one with a mapping of its own was made larger: a buffer that is extended. */
  readonly extends: boolean;
  /** Whether there are hardly more pieces than before, for larger ones took the place of smaller ones: a leak adds pieces. */
  readonly exchanges: boolean;
  readonly firstAt: number;
  readonly lastAt: number;
}

type Books = NonNullable<MemoryView['malloc']>['data']['looks'][number];

/** Pieces that come in two seconds, below which each is a buffer of its own that may be made larger and larger. */
const EXCHANGED_LEAST = 50;
/** Share of those that came by which the pieces may have become more all the same. */
const MORE_MOST = 0.15;

/** A bounded cache whose new values are larger than its old ones grows so, until all are exchanged. */
const exchangesPieces = (first: Books, last: Books): boolean => {
  const before = new Map(first.sizes.map(({ size, count }) => [size, count]));
  const came = last.sizes.reduce((sum, { size, count }) => sum + Math.max(0, count - (before.get(size) ?? 0)), 0);
  return came >= EXCHANGED_LEAST && last.total.usedChunks - first.total.usedChunks < came * MORE_MOST;
};

/** Null when malloc's books were not read twice. */
export const booksGrowth = (view: MemoryView): NativeGrowth | null => {
  const looks = view.malloc?.data.looks ?? [];
  const [first] = looks;
  const last = looks.at(-1);
  if (first === undefined || last === undefined || first === last) return null;
  const arenas = last.total.used - first.total.used;
  const mapped = (last.mapped?.bytes ?? 0) - (first.mapped?.bytes ?? 0);
  const before = new Map(first.sizes.map(({ size, count }) => [size, count]));
  const sizes = last.sizes
    .flatMap(({ size, count }) => {
      const more = count - (before.get(size) ?? Number.POSITIVE_INFINITY);
      return more > 0 ? [{ size, more }] : [];
    })
    .filter(({ size, more }) => size * more > arenas * 0.2)
    .sort((a, b) => b.size * b.more - a.size * a.more)
    .slice(0, 2);
  const byMapping = mapped > arenas;
  return {
    kib: (arenas + mapped) / 1024,
    seconds: last.seconds - first.seconds,
    where: byMapping ? 'in malloc’s chunks with mappings of their own' : 'in malloc’s arenas',
    extends: byMapping && (last.mapped?.count ?? 0) <= (first.mapped?.count ?? 0),
    sizes: arenas > 0 && !byMapping ? sizes : [],
    exchanges: !byMapping && exchangesPieces(first, last),
    firstAt: byMapping ? (first.mapped?.at ?? first.total.at) : first.total.at,
    lastAt: byMapping ? (last.mapped?.at ?? last.total.at) : last.total.at,
  };
};

/** How much Python's objects grew between two counts. */
export interface PythonGrowth {
  readonly kib: number;
  readonly seconds: number;
  /** Share of a growth in KiB a second that they account for, with all that containers which grew may refer to. */
  readonly accounts: (kibPerSecond: number) => number;
}

/** Null when objects were not counted twice. */
export const pythonGrowth = (look: Look): PythonGrowth | null => {
  const seen = look.see(pyHeap);
  if (!seen.seen || seen.data.seconds <= 0) return null;
  const { types, containers, pools, seconds } = seen.data;
  const byType = types.reduce((sum, type) => sum + Math.max(0, type.grewBytes ?? 0), 0);
  const [first] = pools;
  const last = pools.at(-1);
  const inPools = first === undefined || last === undefined ? 0 : last.usedBytes - first.usedBytes;
  const held = containers.reduce((sum, container) => {
    const [start] = container.sizes;
    const end = container.sizes.at(-1);
    if (start === undefined || end === undefined || container.holds === null) return sum;
    return sum + Math.max(0, end.items - start.items) * container.holds.bytesEach;
  }, 0);
  const kib = Math.max(byType, inPools, 0) / 1024;
  return {
    kib,
    seconds,
    accounts: (rate) => (rate <= 0 ? 1 : Math.max(kib, held / 1024) / seconds / rate),
  };
};

/** Resident memory of no file that is not Python's objects, in KiB; null when the objects were not counted. */
export const besidePython = ({ memory, python }: MemoryView): number | null => {
  const { anonymousKib, sharedKib } = lastReading(memory.data).counters;
  if (python === null || anonymousKib === null) return null;
  return Math.max(0, anonymousKib + (sharedKib ?? 0) - python.smallKib - python.freeKib - python.largeKib);
};

/** Pieces of native memory that one object has at most: streams of zlib and their like have about ten. */
const PIECES_MOST = 12;

/**
 * The name of a container that grows by objects which may each own some of the native memory that grows; null when there
 * is none, or there are too few of them for so many pieces.
 */
export const ownerOf = (look: Look, view: MemoryView): string | null => {
  const heap = look.see(pyHeap);
  const looks = view.malloc?.data.looks ?? [];
  const [first] = looks;
  const last = looks.at(-1);
  if (!heap.seen || first === undefined || last === undefined || first === last) return null;
  const more = (books: typeof first) => books.total.usedChunks + (books.mapped?.count ?? 0);
  const pieces = (more(last) - more(first)) / (last.seconds - first.seconds);
  const owner = growersIn(heap.data).find(
    (grower) => grower.itemsPerSecond * PIECES_MOST >= pieces && ownsMemory(grower),
  );
  return owner === undefined ? null : (owner.container.holder?.path ?? `a ${owner.container.type}`);
};

/** Whether the only thread was in a loop over something that has an end: what it builds meanwhile may go when that is done. */
export const isInPass = (look: Look): boolean => {
  const heap = look.see(pyHeap);
  return heap.seen && heap.data.threads === 1 && heap.data.frames.some((frame) => frame.loop === 'finite');
};

/** Python code that ran while memory grew. */
export interface Grower {
  readonly text: string;
  readonly place: string;
  readonly quote: Quote;
}

const WAITS =
  /^(wait|acquire|select|poll|epoll|accept|sleep|recv|recv_into|read|readinto|get|join|_wait_for_tstate_lock)$/;

const growerOf = (look: Look, thread: PythonThreadView): Grower | null => {
  const stack = thread.stacks[0];
  const frame = stack === undefined ? null : ownFrame(stack);
  if (stack === undefined || frame === null || WAITS.test(stack.frames[0]?.function.split('.').at(-1) ?? ''))
    return null;
  const same = samplesWhere(thread, (each) => ownFrame(each)?.function === frame.function);
  return {
    text: `${threadName(thread)} was in ${frameName(frame)} in ${percent(same / Math.max(1, thread.samples))} of the samples`,
    place: frameName(frame),
    quote: quoteFrame(look, thread, frame),
  };
};

/** Threads that were not seen to wait, and where they were; at most two. */
export const growersOf = (look: Look): Grower[] =>
  (pythonThreads(look)?.threads ?? []).flatMap((thread) => growerOf(look, thread) ?? []).slice(0, 2);
