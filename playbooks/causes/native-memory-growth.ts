import { defineCause, type FindingDraft, type Look, type Quote, type Verdict } from '../model/index.ts';
import { identify } from '../probes/identify.ts';
import { malloc } from '../probes/malloc.ts';
import { memory } from '../probes/memory.ts';
import { nativeStacks } from '../probes/native-stacks.ts';
import { pyHeap } from '../probes/py-heap.ts';
import { type Growth, growthOf, type MemoryView, memoryView } from '../reading/memory.ts';
import { lastReading } from '../reading/memory-division.ts';
import { code, duration, kib } from '../reading/text.ts';
import { nativeFixes } from './native-memory-growth.fixes.ts';
import {
  besidePython,
  booksGrowth,
  growersOf,
  isInPass,
  type NativeGrowth,
  ownerOf,
  pythonGrowth,
} from './native-memory-growth.seen.ts';

/** Less growth than this in the window, in KiB, is what heaps do that are laid out in steps of 132 KiB to 1 MiB. */
const LEAST_KIB = 384;
/** Share of the growth that Python's objects may account for at most. */
const PYTHON_MOST = 0.3;

/** Share of the growth that there has to be beside Python's objects, or they are what grew, and were done when they were counted. */
const BESIDE_LEAST = 0.5;

/** Whether it grew all the time and not once: in most quarters of the window, without giving much back in between. */
const isSteady = (growth: Growth): boolean => growth.quarters >= 3 && growth.fall < growth.kib * 0.3;

/** A buffer that is filled was there before: its pages come, its mapping does not grow. */
const isFilled = (growth: Growth): boolean => growth.mappedKib !== null && growth.mappedKib < growth.kib * 0.4;

/** Confidence, and the link that was inferred; null when the books speak against it. */
const sureness = (
  look: Look,
  growth: Growth,
  books: NativeGrowth | null,
): { confidence: number; inferred: string | null } | null => {
  const who = look.see(identify);
  const isPython = !who.seen || who.data.runtime.kind === 'python';
  const objects = pythonGrowth(look);
  const rate = growth.kib / growth.seconds;
  const outside = growth.heapsKib !== null && growth.heapsKib < growth.kib * 0.3;
  const goesOn = books !== null && books.kib >= rate * books.seconds * 0.25;
  // What went on in the window has to go on when malloc is looked at, moments later.
  if (books !== null && !outside && !goesOn) return null;
  if (isPython && objects === null) {
    return { confidence: 0.45, inferred: 'that it is not Python objects that grow: they were not counted' };
  }
  if (((outside && !goesOn) || books?.extends === true) && isInPass(look)) {
    return {
      confidence: 0.45,
      inferred: 'that it is kept when the loop is done that it grew in: that loop has an end',
    };
  }
  if (!outside && books?.exchanges === true) {
    return {
      confidence: 0.45,
      inferred:
        'that it has no end: there are hardly more pieces than before, larger ones took the place of smaller ones',
    };
  }
  if (outside && !goesOn) {
    return { confidence: 0.8, inferred: 'that nothing unmaps it later: it lies in mappings that malloc did not make' };
  }
  if (books === null) {
    return { confidence: 0.75, inferred: "that it goes on: malloc's books were not read twice" };
  }
  return { confidence: 0.92, inferred: null };
};

const quotesOf = (look: Look, view: MemoryView, books: NativeGrowth | null): Quote[] => {
  const { data, evidenceId } = view.memory;
  const reading = lastReading(data);
  const heap = look.see(pyHeap);
  const pools = heap.seen ? heap.data.pools.at(-1) : undefined;
  return [
    look.quote(evidenceId, data.begin.counters.at),
    look.quote(evidenceId, reading.counters.at),
    ...(books === null || view.malloc === null
      ? []
      : [books.firstAt, books.lastAt].map((at) => look.quote(view.malloc?.evidenceId ?? '', at))),
    ...(heap.seen && pools !== undefined ? [look.quote(heap.evidenceId, pools.at)] : []),
    ...growersOf(look)
      .slice(0, 1)
      .map((grower) => grower.quote),
  ];
};

const draftOf = (
  look: Look,
  view: MemoryView,
  growth: Growth,
  books: NativeGrowth | null,
  sure: { confidence: number; inferred: string | null },
): FindingDraft => {
  const rate = growth.kib / growth.seconds;
  const outside = growth.heapsKib !== null && growth.heapsKib < growth.kib * 0.3;
  const where =
    outside && (books === null || books.kib < 64)
      ? 'in mappings outside of malloc'
      : (books?.where ?? 'in malloc’s heaps');
  const sizes =
    books === null || books.sizes.length === 0
      ? ''
      : ` Most of what was added are ${books.sizes
          .map(
            (size) =>
              `${size.more.toLocaleString('en-US')} chunks for ${(size.size - 8).toLocaleString('en-US')} bytes or a little less`,
          )
          .join(' and ')}.`;
  const objects = pythonGrowth(look);
  const python =
    objects === null
      ? ''
      : ` Python's objects ${objects.kib < 64 ? 'did not grow' : `grew by ${kib(objects.kib)} only`} meanwhile (in ${duration(objects.seconds)}).`;
  const growers = growersOf(look);
  const running =
    growers.length === 0
      ? ''
      : ` While it grew, ${growers.map((grower) => grower.text).join('; ')}: that this is what asks for the memory is inferred.`;
  return {
    confidence: sure.confidence,
    title: `Native memory grows by ${kib(rate)} a second, ${where}, and it is not Python objects`,
    summary:
      `In ${duration(growth.seconds)} memory of no file grew by ${kib(growth.kib)}, in ${growth.quarters} of 4 quarters of the window.` +
      `${books === null || books.kib < 64 ? '' : ` malloc's memory in use grew by ${kib(books.kib)} in the ${books.seconds.toFixed(1)} s after it.`}${sizes}${python} ` +
      `${view.text}.${running}${sure.inferred === null ? '' : ` Inferred: ${sure.inferred}.`}`,
    evidence: quotesOf(look, view, books).slice(0, 7),
    fixes: nativeFixes(look, rate, growers),
  };
};

const judge = (look: Look): Verdict => {
  const view = memoryView(look);
  if (view === null) return { verdict: 'cannot-tell', why: 'its memory was not read', wants: [memory.id] };
  const growth = growthOf(view.memory.data);
  if (growth === null) return { verdict: 'cannot-tell', why: 'its memory was not read twice' };
  if (growth.kib < LEAST_KIB) {
    return {
      verdict: 'clear',
      why: `memory of no file grew by ${kib(Math.max(0, growth.kib))} in ${duration(growth.seconds)}`,
    };
  }
  if (!isSteady(growth)) return { verdict: 'clear', why: `memory grew by ${kib(growth.kib)}, but not all the time` };
  if (isFilled(growth)) {
    return { verdict: 'clear', why: `it fills memory that it had already reserved (${kib(growth.kib)} in the window)` };
  }
  const objects = pythonGrowth(look);
  if (objects !== null && objects.accounts(growth.kib / growth.seconds) >= PYTHON_MOST) {
    return {
      verdict: 'clear',
      why: `it is Python's own objects that grow (${kib(objects.kib)} in ${duration(objects.seconds)})`,
    };
  }
  const rest = besidePython(view);
  if (rest !== null && rest < growth.kib * BESIDE_LEAST) {
    return {
      verdict: 'clear',
      why: `what grew (${kib(growth.kib)}) is Python's: beside its objects there are ${kib(rest)} of no file`,
    };
  }
  const owner = ownerOf(look, view);
  if (owner !== null) {
    return {
      verdict: 'clear',
      why: `${code(owner)} grows, and each object in it may own some of the memory that grows`,
    };
  }
  const books = booksGrowth(view);
  const sure = sureness(look, growth, books);
  if (sure === null) {
    return {
      verdict: 'clear',
      why: `it grew by ${kib(growth.kib)} in the window, and no more in the seconds after it`,
    };
  }
  const wants = [malloc.id, pyHeap.id, ...(sure.confidence < 0.5 ? [] : [nativeStacks.id])].filter((id) =>
    [malloc, pyHeap, nativeStacks].some((probe) => {
      const seen = look.see<unknown>(probe);
      return probe.id === id && !seen.seen && (seen.reason === 'not-run' || seen.reason === 'not-needed');
    }),
  );
  const books0 = look.see(malloc);
  if (wants.includes(malloc.id) || (!books0.seen && sure.confidence < 0.5)) {
    return {
      verdict: 'cannot-tell',
      why: `memory of no file grew by ${kib(growth.kib)} in ${duration(growth.seconds)}; whose it is was not read`,
      wants,
    };
  }
  return { verdict: 'fires', findings: [draftOf(look, view, growth, books, sure)], wants };
};

/** Memory that native code asks malloc or mmap for, and does not give back. */
export const nativeMemoryGrowth = defineCause({
  id: 'native-memory-growth',
  title: 'Memory of native code grows',
  needs: [memory],
  explains: ['oom-killed', 'swap-thrash'],
  judge,
});
