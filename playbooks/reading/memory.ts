import type { Look, Observation } from '../model/index.ts';
import { identify } from '../probes/identify.ts';
import { type MallocData, malloc } from '../probes/malloc.ts';
import { type MemoryData, memory } from '../probes/memory.ts';
import { pyHeap } from '../probes/py-heap.ts';
import { sample } from '../probes/sample.ts';
import { divideMemory, divisionText, lastReading, type PythonMemory } from './memory-division.ts';

type Seen<Data> = Extract<Observation<Data>, { seen: true }>;

/** What the memory causes have seen of a process. */
export interface MemoryView {
  readonly memory: Seen<MemoryData>;
  /** Null when malloc's books were not read. */
  readonly malloc: Seen<MallocData> | null;
  readonly python: PythonMemory | null;
  /** `304 MiB resident: …`. */
  readonly text: string;
}

/**
 * What is known of the objects of a Python; null when nothing is. What lies outside of the pools is what objects and tables
 * take beyond the blocks in use.
 */
export const pythonMemory = (look: Look): PythonMemory | null => {
  const seen = look.see(pyHeap);
  const pools = seen.seen ? seen.data.pools.at(-1) : undefined;
  if (!seen.seen || pools === undefined) return null;
  const objects = seen.data.types.reduce((sum, type) => sum + type.bytes + type.tableBytes, 0);
  // Pools that were never used are free too, and not in memory.
  const mapped = look.see(memory);
  const kinds = mapped.seen ? lastReading(mapped.data).kinds : null;
  const room = kinds === null ? Number.POSITIVE_INFINITY : kinds.anonymous.residentKib - pools.usedBytes / 1024;
  return {
    smallKib: pools.usedBytes / 1024,
    freeKib: Math.max(0, Math.min(pools.freeBytes / 1024, room)),
    largeKib: Math.max(0, objects - pools.usedBytes) / 1024,
  };
};

/** Null when not even the mappings were read. */
export const memoryView = (look: Look): MemoryView | null => {
  const seen = look.see(memory);
  if (!seen.seen) return null;
  const books = look.see(malloc);
  const python = pythonMemory(look);
  const data = books.seen ? books.data : null;
  return {
    memory: seen,
    malloc: books.seen ? books : null,
    python,
    text: divisionText(divideMemory(seen.data, data, python)),
  };
};

/** How the resident memory divides, as a line of the report; null when nothing was seen of it. */
export const memoryLine = (look: Look): string | null => memoryView(look)?.text ?? null;

/** Memory of no file, in memory and in swap, in KiB; null where the kernel does not tell. */
const ownKib = (reading: MemoryData['begin']): number | null => {
  const { anonymousKib, swappedKib, sharedKib } = reading.counters;
  return anonymousKib === null ? null : anonymousKib + (swappedKib ?? 0) + (sharedKib ?? 0);
};

/** Addresses that are mapped and may be written, of no file, in KiB; null where mappings were not read. */
const mappedKib = (reading: MemoryData['begin']): number | null => {
  const { kinds } = reading;
  return kinds === null
    ? null
    : kinds.heap.sizeKib + kinds.arena.sizeKib + kinds.anonymous.sizeKib + kinds.shared.sizeKib;
};

const heapsOf = (kinds: NonNullable<MemoryData['begin']['kinds']>): number =>
  kinds.heap.residentKib + kinds.arena.residentKib;

/** What malloc's heaps hold in memory, in KiB: all anonymous memory where mappings were not told apart. */
export const heapsKib = (data: MemoryData): number => {
  const { kinds, counters } = lastReading(data);
  return kinds === null ? (counters.anonymousKib ?? 0) : heapsOf(kinds);
};

/** How memory of no file went over the window. */
export interface Growth {
  readonly kib: number;
  readonly seconds: number;
  /** By how much the mappings of that memory grew; null where they were not read. A buffer that is filled grows by 0. */
  readonly mappedKib: number | null;
  /** By how much malloc's heaps grew, of `kib`; null where the mappings were not read. */
  readonly heapsKib: number | null;
  /** Quarters of the window in which it grew, 0 to 4. */
  readonly quarters: number;
  /** Largest fall from one point to the next, in KiB. */
  readonly fall: number;
}

/** Growth between the two readings; null where memory was read only once. */
export const growthOf = (data: MemoryData): Growth | null => {
  if (data.end === null || data.seconds < 0.4) return null;
  const first = ownKib(data.begin);
  const last = ownKib(data.end);
  if (first === null || last === null) return null;
  const shared = data.begin.counters.sharedKib ?? 0;
  const points = [
    { seconds: 0, kib: first },
    ...data.curve.flatMap((point) =>
      point.anonymousKib === null
        ? []
        : [{ seconds: point.seconds, kib: point.anonymousKib + (point.swappedKib ?? 0) + (point.sharedKib ?? shared) }],
    ),
    { seconds: data.seconds, kib: last },
  ];
  const at = (share: number): number =>
    points.findLast((point) => point.seconds <= share * data.seconds + 0.001)?.kib ?? first;
  const quarters = [1, 2, 3, 4].filter((quarter) => at(quarter / 4) > at((quarter - 1) / 4)).length;
  const falls = points.slice(1).map((point, index) => (points[index]?.kib ?? 0) - point.kib);
  const before = mappedKib(data.begin);
  const after = mappedKib(data.end);
  return {
    kib: last - first,
    seconds: data.seconds,
    mappedKib: before === null || after === null ? null : after - before,
    heapsKib:
      data.begin.kinds === null || data.end.kinds === null ? null : heapsOf(data.end.kinds) - heapsOf(data.begin.kinds),
    quarters,
    fall: Math.max(0, ...falls),
  };
};

/** CPU time over wall time of the whole process in the window; null when it was not sampled. */
export const processCpu = (look: Look): number | null => {
  const seen = look.see(sample);
  if (!seen.seen || seen.data.seconds <= 0) return null;
  const { userSeconds, systemSeconds } = seen.data.process;
  return (userSeconds + systemSeconds) / seen.data.seconds;
};

/** The systemd unit that a process is of by its control group, `shop.service`; null when it is of none. */
export const unitOf = (look: Look): string | null => {
  const who = look.see(identify);
  if (!who.seen) return null;
  return /\/([\w@.:\\-]+\.service)(\/|$)/.exec(who.data.cgroup?.path ?? '')?.[1] ?? null;
};
