import { z } from 'zod';
import { defineProbe, evidenceText, LineNumber } from '../model/index.ts';
import { parseMalloc } from './malloc.parse.ts';

/** What a walk over chunks found; bytes, headers of chunks included. */
const Figures = z.object({
  /** Of `size` bytes of heaps. */
  walked: z.number(),
  size: z.number(),
  /** As free(3) sees it: chunks in a thread's cache or in the fast bins are in use here. */
  used: z.number(),
  usedChunks: z.number(),
  free: z.number(),
  freeChunks: z.number(),
  /** Of `free`, in pages that are in memory; the others were given back to the system. */
  freeResident: z.number(),
  /** Of `freeResident`, in whole pages: what malloc_trim(3) could give back. */
  trimmable: z.number(),
  largestFree: z.number(),
  /** Free at the end of the heap: the only part that free(3) gives back by itself. */
  top: z.number(),
  topResident: z.number(),
  swapped: z.number(),
});
export type MallocFigures = z.infer<typeof Figures>;

const Arena = Figures.extend({
  /** 0 for the main arena, whose memory comes from brk(2). */
  number: z.number().int(),
  heaps: z.number().int(),
  /** Bytes that it has from the system now, and the most that it ever had. */
  system: z.number(),
  most: z.number(),
  fast: z.number(),
  /** Why the walk over its chunks ended early; null when it did not. */
  stopped: z.string().nullable(),
  at: LineNumber,
});
export type MallocArena = z.infer<typeof Arena>;

export const MallocLook = z.object({
  /** Seconds after the first look. */
  seconds: z.number(),
  /** With the most free bytes first; not all, when there are many. */
  arenas: z.array(Arena),
  total: Arena.omit({ number: true, stopped: true }).extend({ count: z.number().int() }),
  /** Chunks with a mapping of their own (mallopt(3), M_MMAP_THRESHOLD); null when malloc's parameters were not found. */
  mapped: z
    .object({
      count: z.number().int(),
      bytes: z.number(),
      trimThreshold: z.number(),
      mmapThreshold: z.number(),
      at: LineNumber,
    })
    .nullable(),
  /** Sizes of chunks in use by the bytes that they take, largest first; `size` is the chunk's, 8 to 23 more than asked for. */
  sizes: z.array(z.object({ size: z.number(), count: z.number() })),
  sizesAt: LineNumber.nullable(),
});
export type MallocLook = z.infer<typeof MallocLook>;

export const MallocData = z.object({
  /** Null where malloc(3) is another allocator's and glibc keeps no books. */
  glibc: z.object({ version: z.string(), how: z.enum(['search', 'symbol']), at: LineNumber }).nullable(),
  /** Other allocators that are mapped; malloc(3) is theirs then, and glibc's books show little. */
  allocators: z.array(z.object({ kind: z.string(), path: z.string().nullable(), at: LineNumber })),
  /** Environment variables that choose or tune an allocator: `MALLOC_ARENA_MAX=2`. */
  settings: z.array(z.object({ text: z.string(), at: LineNumber })),
  /** Allocators that could be preloaded: path as seen inside the process's root. */
  offered: z.array(z.object({ kind: z.string(), path: z.string(), at: LineNumber })),
  /** Bytes in use (mapped chunks too) at several moments from the first look to the last; null after one look only. */
  between: z
    .object({
      walks: z.number().int(),
      least: z.number(),
      most: z.number(),
      /** CPU seconds that the process used meanwhile. */
      ranSeconds: z.number(),
      at: LineNumber,
    })
    .nullable(),
  /** One, or two when the walk was quick; none where there are no books of glibc's. */
  looks: z.array(MallocLook),
});
export type MallocData = z.infer<typeof MallocData>;

/** Between the two looks, in seconds. */
const AGAIN_AFTER = 2;
/** Seconds for one walk over all chunks. */
const WALK = 3;

/**
 * malloc's books, read from the process's memory without calling anything in it: glibc's arenas, chunks in use and free.
 * Where libc names no symbols its structures are searched for, and refused unless all about them fits together. Pages in
 * swap are not read.
 */
export const malloc = defineProbe<MallocData>({
  id: 'malloc',
  title: "malloc's books",
  phase: 3,
  impacts: ['none'],
  ptraces: false,
  needs: { python: true, privilege: 'ptrace' },
  limits: { seconds: () => 20, bytes: 200_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: MallocData,
  command: ({ target, known }) => ({
    argv: [
      known?.python ?? 'python3',
      '-I',
      '-S',
      '-B',
      '{script:malloc.py}',
      String(target.pid),
      target.startTime,
      String(AGAIN_AFTER),
      String(WALK),
    ],
    scripts: [
      'malloc.py',
      'py_read_memory.py',
      'py_read_images.py',
      'regular_files.py',
      'py_read_elf.py',
      'py_read_malloc.py',
      'py_read_chunks.py',
      'py_read_allocators.py',
    ],
  }),
  parse: (evidence) => parseMalloc(evidenceText(evidence)),
});
