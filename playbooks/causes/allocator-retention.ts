import { defineCause, type FindingDraft, type Look, type Quote, type Verdict } from '../model/index.ts';
import { type MallocData, malloc } from '../probes/malloc.ts';
import { memory } from '../probes/memory.ts';
import { pyHeap } from '../probes/py-heap.ts';
import { growthOf, heapsKib, type MemoryView, memoryView, processCpu } from '../reading/memory.ts';
import { freeInMalloc, lastReading } from '../reading/memory-division.ts';
import { bytes, count, kib, percent } from '../reading/text.ts';
import { byPreference, retentionFixes } from './allocator-retention.fixes.ts';
import { LEAST_KIB, LEAST_SHARE, pymallocDraft, uncountedPools } from './allocator-retention.pools.ts';

/** A hint from here on. */
const HINT_KIB = 32 * 1024;
const HINT_SHARE = 0.25;
/** CPU over wall time from which on a process may well be using that memory in turns, and from which on it may. */
const BUSY = 0.5;
const ACTIVE = 0.15;

type Books = MallocData['looks'][number];

/** Whether the books or the mappings changed while they were looked at: what is free now was in use, or will be. */
const inTurns = (view: MemoryView, first: Books, last: Books): boolean => {
  const between = view.malloc?.data.between ?? null;
  const free = (books: Books) => books.total.freeResident + books.total.topResident;
  const least = Math.max(4 << 20, free(first) * 0.05);
  if (Math.abs(last.total.used - first.total.used) > least || Math.abs(free(last) - free(first)) > least) return true;
  if (between !== null && between.most - between.least > least) return true;
  const growth = growthOf(view.memory.data);
  return growth !== null && (Math.abs(growth.kib) * 1024 > least || growth.fall * 1024 > least);
};

/** CPU over wall time below which a process rests, and uses no memory in turns. */
const RESTS = 0.005;
/** Seconds between walks, at most, for a burst that takes memory and gives it back to be seen. */
const GAP = 0.35;

/** Whether a process that works was watched so closely, while it worked, that use of this memory would have been seen. */
const watchedAtWork = (view: MemoryView, cpu: number, seconds: number): boolean => {
  const between = view.malloc?.data.between ?? null;
  if (between === null || between.walks < 3 || seconds / (between.walks - 1) > GAP) return false;
  return between.ranSeconds / seconds >= cpu * 0.3;
};

const confidenceOf = (
  look: Look,
  view: MemoryView,
  first: Books,
  last: Books,
  share: number,
  freeKib: number,
): number => {
  if (freeKib < LEAST_KIB || share < LEAST_SHARE) return 0.4;
  if (inTurns(view, first, last)) return 0.45;
  const cpu = processCpu(look);
  if (cpu === null) return 0.6;
  const ran = (view.malloc?.data.between?.ranSeconds ?? 0) / Math.max(0.1, last.seconds);
  if (cpu >= RESTS || ran >= RESTS) {
    if (cpu >= BUSY || !watchedAtWork(view, cpu, last.seconds)) return 0.45;
    if (cpu >= ACTIVE) return 0.8;
  }
  if (first === last) return 0.8;
  return share >= 0.6 ? 0.96 : 0.92;
};

const whyOf = (last: Books): string => {
  const main = last.arenas.find((arena) => arena.number === 0);
  const others = last.total.count - 1;
  const mainFree = (main?.freeResident ?? 0) + (main?.topResident ?? 0);
  const all = last.total.freeResident + last.total.topResident;
  const pinned =
    'free(3) gives memory back only from the end of a heap, and something in use lies near the end of each: what is free below it stays.';
  if (main !== undefined && mainFree > all * 0.6) {
    return `Most of it lies in the main heap (${bytes(mainFree)} free in ${count(main.freeChunks, 'piece')}). ${pinned}`;
  }
  return `It lies in ${count(others, 'arena')} beside the main one, which glibc makes when threads allocate at the same time and never takes down. ${pinned}`;
};

const quotesOf = (look: Look, view: MemoryView, books: NonNullable<MemoryView['malloc']>, last: Books): Quote[] => {
  const reading = lastReading(view.memory.data);
  const [largest] = last.arenas;
  const first = books.data.looks[0];
  return [
    look.quote(books.evidenceId, last.total.at),
    ...(largest === undefined ? [] : [look.quote(books.evidenceId, largest.at)]),
    ...(first === undefined || first === last ? [] : [look.quote(books.evidenceId, first.total.at)]),
    look.quote(view.memory.evidenceId, reading.counters.at),
    ...(reading.kinds === null
      ? []
      : [look.quote(view.memory.evidenceId, (last.total.count > 1 ? reading.kinds.arena : reading.kinds.heap).at)]),
    ...byPreference(books.data)
      .slice(0, 1)
      .map((each) => look.quote(books.evidenceId, each.at)),
  ];
};

const draftOf = (
  look: Look,
  view: MemoryView,
  books: NonNullable<MemoryView['malloc']>,
  first: Books,
  last: Books,
  freeKib: number,
): FindingDraft => {
  const { residentKib } = lastReading(view.memory.data).counters;
  const share = freeKib / residentKib;
  const confidence = confidenceOf(look, view, first, last, share, freeKib);
  const steady =
    first === last
      ? 'It was looked at only once: that this memory is not used in turns is inferred.'
      : confidence >= 0.9
        ? `Between two looks ${last.seconds.toFixed(1)} s apart no part of it was used.`
        : confidence >= 0.5
          ? `Between two looks ${last.seconds.toFixed(1)} s apart no part of it was used; that it will not be used by what the process is doing is inferred.`
          : 'It is not much, or the process was at work and may be using it in turns: look again when it rests after a load.';
  const python =
    view.python === null ? '' : ` Python's live objects take ${kib(view.python.smallKib + view.python.largeKib)}.`;
  return {
    confidence,
    title: `malloc keeps ${kib(freeKib)} that the program has freed: ${percent(Math.min(1, share))} of its ${kib(residentKib)} resident`,
    summary:
      `${view.text}. malloc's own books, read from the process's memory, have ${bytes(last.total.system)} from the system in ${count(last.total.count, 'arena')}, of which ${bytes(last.total.used)} are in use.${python} ` +
      `${whyOf(last)} ${steady}`,
    evidence: quotesOf(look, view, books, last),
    fixes: retentionFixes(look, books.data, last),
  };
};

const UNCOUNTED: Verdict = {
  verdict: 'cannot-tell',
  why: "much of its memory is neither malloc's nor a file's; how much of it Python's own allocator keeps was not counted",
  wants: [pyHeap.id],
};

const judge = (look: Look): Verdict => {
  const view = memoryView(look);
  if (view === null) return { verdict: 'cannot-tell', why: 'its memory was not read', wants: [memory.id] };
  const { residentKib } = lastReading(view.memory.data).counters;
  const pools = pymallocDraft(look, view);
  if (pools !== null) return { verdict: 'fires', findings: [pools] };
  const heaps = heapsKib(view.memory.data);
  if (heaps < HINT_KIB || heaps < residentKib * HINT_SHARE) {
    return uncountedPools(look, view)
      ? UNCOUNTED
      : { verdict: 'clear', why: `malloc's heaps hold only ${kib(heaps)} of ${kib(residentKib)} resident` };
  }
  const books = look.see(malloc);
  if (!books.seen) {
    const open = books.reason === 'not-run' || books.reason === 'not-needed';
    return {
      verdict: 'cannot-tell',
      why: open
        ? `how much of the ${kib(heaps)} in malloc's heaps is free was not read`
        : `how much of the ${kib(heaps)} in malloc's heaps is free is not known: ${books.why}`,
      // Both at once: there is no third round in which the second could be asked for.
      ...(open ? { wants: uncountedPools(look, view) ? [malloc.id, pyHeap.id] : [malloc.id] } : {}),
    };
  }
  const first = books.data.looks[0];
  const last = books.data.looks.at(-1);
  const free = freeInMalloc(books.data);
  if (first === undefined || last === undefined || free === null) {
    return { verdict: 'clear', why: `malloc is ${books.data.allocators[0]?.kind ?? 'not glibc'}'s, not glibc's` };
  }
  const freeKib = free / 1024;
  if (freeKib < HINT_KIB || freeKib < residentKib * HINT_SHARE) {
    const unwalked = last.total.size - last.total.walked;
    if (unwalked > last.total.size * 0.2 && unwalked / 1024 > HINT_KIB) {
      return {
        verdict: 'cannot-tell',
        why: `only ${bytes(last.total.walked)} of ${bytes(last.total.size)} in malloc's heaps were walked`,
      };
    }
    // Python 2 keeps the blocks of its whole numbers in malloc's heap, so that both hold much after one load.
    if (uncountedPools(look, view)) return UNCOUNTED;
    return { verdict: 'clear', why: `of ${kib(residentKib)} resident only ${kib(freeKib)} are free in malloc` };
  }
  return { verdict: 'fires', findings: [draftOf(look, view, books, first, last, freeKib)] };
};

/** The C library's allocator keeps memory that the program has given back. */
export const allocatorRetention = defineCause({
  id: 'allocator-retention',
  title: 'malloc keeps memory that the program has freed',
  needs: [memory],
  explains: ['oom-killed', 'swap-thrash'],
  judge,
});
