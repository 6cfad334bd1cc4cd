import type { MallocData } from '../probes/malloc.ts';
import type { MemoryData, MemoryReading } from '../probes/memory.ts';
import { kib, list, percent } from './text.ts';

/** What is known of Python's own memory, in KiB. */
export interface PythonMemory {
  /** Blocks in use in pymalloc's pools. */
  readonly smallKib: number;
  /** Free in pymalloc's pools and arenas. */
  readonly freeKib: number;
  /** Live objects and tables that are too large for pymalloc, and so are malloc's (over 512 bytes, Objects/obmalloc.c). */
  readonly largeKib: number;
}

/** How resident memory divides, in KiB. Null for what nothing has been seen of. */
export interface MemoryDivision {
  readonly residentKib: number;
  readonly pythonKib: number | null;
  readonly pymallocFreeKib: number | null;
  /** Free in malloc's arenas and in memory all the same. */
  readonly mallocFreeKib: number | null;
  /** In use in malloc and by no Python object that is known of. */
  readonly nativeKib: number | null;
  readonly filesKib: number | null;
  readonly stacksKib: number | null;
  readonly sharedKib: number | null;
  /** Anonymous memory that none of the above accounts for. */
  readonly otherKib: number;
}

const KIB = 1024;
const atLeastZero = (value: number): number => Math.max(0, Math.round(value));

/** The last reading of memory that there is. */
export const lastReading = (data: MemoryData): MemoryReading => data.end ?? data.begin;

/** Bytes that malloc has free and that are in memory: in the middle of its heaps and at their tops. */
export const freeInMalloc = (data: MallocData): number | null => {
  const last = data.looks.at(-1);
  return last === undefined ? null : last.total.freeResident + last.total.topResident + last.total.fast;
};

/**
 * Resident memory = Python objects + free in pymalloc + free in malloc + in use in malloc (native) + files + stacks +
 * shared + other. Each part from the probe that knows it: malloc's mapped chunks are taken as resident.
 */
export const divideMemory = (
  memory: MemoryData,
  malloc: MallocData | null,
  python: PythonMemory | null,
): MemoryDivision => {
  const { counters, kinds } = lastReading(memory);
  const residentKib = counters.residentKib;
  const books = malloc?.looks.at(-1);
  const free = malloc === null ? null : freeInMalloc(malloc);
  const files = kinds === null ? counters.fileKib : kinds.file.residentKib;
  const shared = kinds === null ? counters.sharedKib : kinds.shared.residentKib;
  const stacks = kinds?.stack.residentKib ?? null;
  const pythonKib = python === null ? null : python.smallKib + python.largeKib;
  // What malloc has in memory: its heaps, as the kernel counts them where it tells, and its mapped chunks.
  const heaps =
    books === undefined
      ? null
      : kinds === null
        ? (books.total.used + (free ?? 0)) / KIB
        : Math.max(kinds.heap.residentKib + kinds.arena.residentKib, (free ?? 0) / KIB);
  // Python's own arenas are anonymous too, and not malloc's.
  const room = kinds === null ? null : kinds.anonymous.residentKib - (python?.smallKib ?? 0) - (python?.freeKib ?? 0);
  const mapped = Math.min((books?.mapped?.bytes ?? 0) / KIB, Math.max(0, room ?? Number.POSITIVE_INFINITY));
  const nativeKib =
    heaps === null || free === null ? null : atLeastZero(heaps + mapped - free / KIB - (python?.largeKib ?? 0));
  const accounted =
    (pythonKib ?? 0) +
    (python?.freeKib ?? 0) +
    (free ?? 0) / KIB +
    (nativeKib ?? 0) +
    (files ?? 0) +
    (stacks ?? 0) +
    (shared ?? 0);
  return {
    residentKib,
    pythonKib,
    pymallocFreeKib: python?.freeKib ?? null,
    mallocFreeKib: free === null ? null : Math.round(free / KIB),
    nativeKib,
    filesKib: files,
    stacksKib: stacks,
    sharedKib: shared,
    otherKib: atLeastZero(residentKib - accounted),
  };
};

/** The division as a sentence, largest part first: `Of 304 MiB resident 277 MiB (91 %) are free in malloc, …`. */
export const divisionText = (division: MemoryDivision): string => {
  const parts: readonly (readonly [string, number | null])[] = [
    ['Python objects', division.pythonKib],
    ['free in pymalloc', division.pymallocFreeKib],
    ['free in malloc', division.mallocFreeKib],
    [
      division.pythonKib === null ? 'in use in malloc' : 'in use in malloc by native code and large buffers',
      division.nativeKib,
    ],
    ['mapped files', division.filesKib],
    ['stacks', division.stacksKib],
    ['shared memory', division.sharedKib],
    [division.nativeKib === null ? 'heap and other anonymous memory' : 'other anonymous memory', division.otherKib],
  ];
  const shown = parts
    .flatMap(([what, size]) => (size === null || size < 512 ? [] : [{ what, size }]))
    .sort((a, b) => b.size - a.size)
    .map(({ what, size }) => `${kib(size)} ${what} (${percent(Math.min(1, size / division.residentKib))})`);
  return `${kib(division.residentKib)} resident: ${list(shown)}`;
};
