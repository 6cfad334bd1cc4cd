import { z } from 'zod';
import { defineProbe, LineNumber } from '../model/index.ts';
import { parsePyHeap } from './py-heap.parse.ts';
import { heapInShort } from './py-heap.preview.ts';
import { STACK_READERS } from './py-stacks.readers.ts';

/** One count of pymalloc's pools. */
export const PoolCount = z.object({
  blocks: z.number(),
  usedBytes: z.number(),
  /** Free blocks in pools with some in use, and pools without a block in use. */
  freeBytes: z.number(),
  /** Blocks in use that are no objects: tables of dicts, items of lists, buffers. */
  otherBytes: z.number(),
  at: LineNumber,
});
export type PoolCount = z.infer<typeof PoolCount>;

/** The garbage collector at one moment. Null for what the version does not keep. */
export const CollectorState = z.object({
  enabled: z.boolean(),
  thresholds: z.array(z.number()),
  /** Of the young generation: objects made since its last collection, less those freed. */
  counts: z.array(z.number()),
  collections: z.number().nullable(),
  /** len(gc.garbage). */
  garbage: z.number(),
  uncollectable: z.number().nullable(),
  /** Objects of gc.freeze(), counted up to 2,000. */
  frozen: z.number(),
  at: LineNumber,
});
export type CollectorState = z.infer<typeof CollectorState>;

/** Live objects of one type. */
export const HeapType = z.object({
  name: z.string(),
  objects: z.number(),
  /** Their own bytes, and those of their tables (for dicts at least so many). */
  bytes: z.number(),
  tableBytes: z.number(),
  /** Between the two counts; null when there was only one. */
  grewObjects: z.number().nullable(),
  grewBytes: z.number().nullable(),
  at: LineNumber,
});
export type HeapType = z.infer<typeof HeapType>;

/** What a program calls a container. */
export const HeapHolder = z.object({
  /** `cache`: what functools.lru_cache keeps. */
  kind: z.enum(['global', 'attribute', 'local', 'cache']),
  /** `app.SESSIONS`, `app.service.queue`, `seen`; `[]` for an item of a container. */
  path: z.string(),
  file: z.string().nullable(),
  /** The function whose local variable or cache it is, and the line of its `def`. */
  function: z.string().nullable(),
  line: z.number().nullable(),
  library: z.boolean(),
});
export type HeapHolder = z.infer<typeof HeapHolder>;

/** A line of the program's source that has to do with a container, or that sets the collector. */
export const SourceUse = z.object({
  /** `takes`: one item at a time; `measures`: compares its length; `sets`: gc.disable() and its like. */
  kind: z.enum(['adds', 'empties', 'takes', 'removes', 'measures', 'sets']),
  file: z.string(),
  line: z.number(),
  /** The function that the line is in, or `<module>`. */
  function: z.string(),
  /** The outermost loop around it in that function: whether it is to go on for ever, as far as its text says. */
  loop: z.enum(['endless', 'finite']).nullable(),
  text: z.string(),
  at: LineNumber,
});
export type SourceUse = z.infer<typeof SourceUse>;

/** A list, dict, set or deque. */
export const HeapContainer = z.object({
  type: z.string(),
  address: z.string(),
  items: z.number(),
  holder: HeapHolder.nullable(),
  /** How many items it can ever have, where that is known: a deque's maxlen, the maxsize of a queue or of lru_cache. */
  bound: z.number().nullable(),
  /** Items over time, seconds since the first look; of all containers of that name together. Empty for one that stood still. */
  sizes: z.array(z.object({ seconds: z.number(), items: z.number() })),
  sizesAt: LineNumber.nullable(),
  containers: z.number(),
  /** What the items added last are, and the mean bytes of one and of what only it refers to. */
  holds: z.object({ text: z.string(), bytesEach: z.number(), at: LineNumber }).nullable(),
  /** Lines of source that do something to it; null when no source could be read. */
  uses: z.array(SourceUse).nullable(),
  at: LineNumber,
});
export type HeapContainer = z.infer<typeof HeapContainer>;

export const PyHeapData = z.object({
  version: z.string(),
  /** Seconds between the two counts; 0 after one only. */
  seconds: z.number(),
  /** Whether the counts by type were taken of a part of the pools. */
  estimated: z.boolean(),
  pools: z.array(PoolCount),
  collector: z.array(CollectorState),
  /** Where the program sets the collector, when it is not set as usual. */
  settings: z.array(SourceUse),
  /** Objects of the collector's that were sampled, and those of them that are unreachable garbage for sure. */
  garbage: z.object({
    sampled: z.number(),
    dead: z.number(),
    /** Objects that the collector looks after, in the first count. */
    collected: z.number(),
    types: z.array(z.object({ name: z.string(), count: z.number() })),
    /** The smallest group that was found: each type with the references to it from within the group. */
    cycle: z.object({ text: z.string(), at: LineNumber }).nullable(),
    at: LineNumber,
  }),
  objects: z.number(),
  types: z.array(HeapType),
  containers: z.array(HeapContainer),
  threads: z.number(),
  /** Where the only thread was, outermost frame first; empty when there are several. */
  frames: z.array(
    z.object({
      file: z.string(),
      line: z.number(),
      function: z.string(),
      loop: z.enum(['endless', 'finite']).nullable(),
      library: z.boolean(),
      at: LineNumber,
    }),
  ),
  /** What refers to the biggest container of the type that was asked for; null when none was, or there is none. */
  references: z
    .object({
      to: z.string(),
      found: z.array(z.object({ level: z.number(), type: z.string(), path: z.string().nullable(), at: LineNumber })),
      at: LineNumber,
    })
    .nullable(),
});
export type PyHeapData = z.infer<typeof PyHeapData>;

const SCRIPT = 'py-heap.py';
const MODULES = [
  ...STACK_READERS,
  'py_read_pools.py',
  'py_read_types.py',
  'py_read_containers.py',
  'py_read_census.py',
  'py_read_gc.py',
  'py_read_references.py',
  'py_read_holders.py',
  'py_read_garbage.py',
  'py_read_weights.py',
  'py_read_uses.py',
  'py_read_bounds.py',
  'py_read_referrers.py',
  'py_read_heap.py',
  'py_heap_report.py',
] as const;

const Options = z.strictObject({
  /** Seconds of CPU that both counts may take together, about; bigger heaps are sampled. */
  seconds: z.number().min(0.2).max(120).default(2),
  /** Whose biggest container's referrers are looked for: a type as the list of types names it. */
  refs: z.string().min(1).max(200).optional(),
});

/**
 * The heap of a CPython process, read from its memory (process_vm_readv(2), /proc/PID/mem) while it runs: not attached to,
 * not stopped, nothing called in it. Live objects by type from pymalloc's pools and the collector's lists, twice; what
 * containers grew and what the program calls them; the collector's state and a sample of what is garbage. CPython 2.7, 3.6 to 3.14.
 * Measured: 12.5 million objects in 3.2 s, 40 MiB of the host's memory.
 */
export const pyHeap = defineProbe<PyHeapData>({
  id: 'py-heap',
  title: 'Live Python objects by type, and what grows',
  phase: 3,
  impacts: ['none'],
  ptraces: false,
  needs: { python: true, pythonTarget: true, privilege: 'ptrace' },
  limits: {
    seconds: (step) => step.windowSeconds + 4 * Options.parse(step.options).seconds + 10,
    bytes: 1_000_000,
    endWith: 'TERM',
  },
  options: Options,
  data: PyHeapData,
  command: ({ target, windowSeconds, known, options }) => {
    const { seconds, refs } = Options.parse(options);
    return {
      // -I -S: nothing of the host's site-packages, environment or current folder comes in; -B: nothing is written.
      argv: [
        known?.python ?? 'python3',
        '-I',
        '-S',
        '-B',
        `{script:${SCRIPT}}`,
        String(target.pid),
        target.startTime,
        String(windowSeconds),
        String(seconds),
        ...(refs === undefined ? [] : [refs]),
      ],
      scripts: [SCRIPT, ...MODULES],
    };
  },
  preview: heapInShort,
  parse: parsePyHeap,
});
