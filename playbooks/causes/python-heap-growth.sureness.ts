import type { Look } from '../model/index.ts';
import type { SourceUse } from '../probes/py-heap.ts';
import { type Grower, type SeenHeap, untilFull } from '../reading/heap.ts';
import { pythonThreads } from '../reading/python.ts';
import { crowdOf, goesWith } from './python-heap-growth.clients.ts';

/** How sure it is that a container grows without an end, and what that rests on without having been seen. */
export interface Sureness {
  readonly confidence: number;
  readonly inferred: string | null;
}

const STEADY_SHARE = 0.95;

/** A function that is named like this one, whatever class it is in. */
const isNamed = (frame: { function: string; file: string }, use: SourceUse): boolean =>
  frame.file === use.file && frame.function.split('.').at(-1) === use.function;

/**
 * Whether a line that adds is in a loop over something that has an end, in a function that some thread was in all the time:
 * then it fills the container, and will be done.
 */
const fills = (look: Look, use: SourceUse): boolean => {
  if (use.loop !== 'finite') return false;
  if (use.function === '<module>') return true;
  const view = pythonThreads(look);
  if (view === null) return true;
  return view.threads.some((thread) => {
    const inside = thread.stacks
      .filter((stack) => stack.frames.some((frame) => isNamed(frame, use)))
      .reduce((sum, stack) => sum + stack.count, 0);
    return thread.samples > 0 && inside >= STEADY_SHARE * thread.samples;
  });
};

/** Frames by which a program is run, before its own code. */
const RUNNER = /^<frozen |(^|\/)runpy\.py$/;

/** Whether the process does one job that has an end: its only thread is in loops of the program's own that are finite. */
export const isJob = (heap: SeenHeap): boolean => {
  const { frames, threads } = heap.data;
  const own = frames.filter((frame) => !frame.library);
  const outer = frames.slice(
    0,
    frames.findLastIndex((frame) => frame.loop !== null),
  );
  return (
    threads === 1 &&
    own.some((frame) => frame.loop === 'finite') &&
    !own.some((frame) => frame.loop === 'endless') &&
    outer.every((frame) => !frame.library || RUNNER.test(frame.file))
  );
};

/** What a container may take when it is full, for its bound to be worth its name: 2 GiB. */
const FULL_MOST = 2 * 1024 ** 3;

/** Whether a container that bounds itself will be full before it does harm: then it warms up, and does not leak. */
export const isBounded = (look: Look, grower: Grower): boolean => {
  const { bound, items } = grower.container;
  if (bound === null) return false;
  const each = grower.bytesPerSecond / grower.itemsPerSecond;
  const seconds = ((bound - items) * each) / grower.bytesPerSecond;
  return bound * each <= FULL_MOST && seconds < (untilFull(look, grower.bytesPerSecond)?.seconds ?? Infinity);
};

/** Null for a container that has a bound, and is on its way to it. */
export const surenessOf = (look: Look, heap: SeenHeap, grower: Grower): Sureness | null => {
  const { container, uses } = grower;
  const { holder } = container;
  if (isBounded(look, grower)) return null;
  if (container.bound !== null) {
    const items = container.bound.toLocaleString('en-US');
    return { confidence: 0.7, inferred: `that its bound of ${items} items comes too late: full, it is too big` };
  }
  const first = container.sizes[0]?.items ?? 0;
  if (goesWith(crowdOf(look), first, grower.itemsPerSecond)) {
    return {
      confidence: 0.4,
      inferred:
        'that its items stay when the connections have ended: there is as much of it as there are connections of clients, which become more at the same rate',
    };
  }
  const of = (kind: SourceUse['kind']) => uses.filter((use) => use.kind === kind);
  const adds = of('adds');
  if (adds.length > 0 && adds.every((use) => fills(look, use))) {
    return {
      confidence: 0.4,
      inferred: 'that it will not be done with that: it is filled in a loop over something that has an end',
    };
  }
  if (isJob(heap)) {
    return {
      confidence: 0.45,
      inferred: 'that it has no end: it may be a job that collects its results until it is done',
    };
  }
  if (of('measures').length > 0) {
    return { confidence: 0.4, inferred: 'that nothing bounds it: the source compares its length with something' };
  }
  if (of('empties').length > 0) {
    return { confidence: 0.4, inferred: 'that it is not emptied from time to time, as the source does somewhere' };
  }
  if (of('takes').length > 0) {
    return { confidence: 0.7, inferred: 'that this is no passing burst: items are taken out of it too, but fewer' };
  }
  if (of('removes').length > 0) {
    return { confidence: 0.45, inferred: 'that what the source removes from it is less than what it adds, for good' };
  }
  if (holder?.library === true) {
    return { confidence: 0.7, inferred: 'that it has no bound: it belongs to a library' };
  }
  if (holder === null) return { confidence: 0.6, inferred: 'what holds it: no name of the program for it was found' };
  if (holder.kind === 'cache') return { confidence: heap.data.estimated ? 0.85 : 0.93, inferred: null };
  if (container.uses === null)
    return { confidence: 0.75, inferred: 'that nothing is ever removed: its source was not read' };
  if (adds.length === 0) {
    return {
      confidence: 0.7,
      inferred: 'that nothing is ever removed: no line of the source that uses its name was found',
    };
  }
  return { confidence: 0.9, inferred: null };
};
