import { z } from 'zod';
import { defineProbe, LineNumber } from '../model/index.ts';
import { VARIABLE_READERS } from './py-stacks.readers.ts';
import { figuresInShort, parsePyrasite } from './pyrasite.parse.ts';

export const PyrasiteData = z.object({
  version: z.string(),
  /** Objects that the collector looks after, and how many of them were counted. */
  objects: z.number(),
  counted: z.number(),
  /** What was counted by type, most bytes first: those objects and what they refer to that the collector leaves alone. */
  types: z.array(z.object({ name: z.string(), objects: z.number(), bytes: z.number(), at: LineNumber })),
  collector: z.object({
    enabled: z.boolean(),
    thresholds: z.array(z.number()),
    counts: z.array(z.number()),
    at: LineNumber,
  }),
  /** gc.get_stats(); empty for Python 2.7. */
  generations: z.array(
    z.object({ collections: z.number(), collected: z.number(), uncollectable: z.number(), at: LineNumber }),
  ),
  /** gc.garbage by type. */
  garbage: z.object({
    objects: z.number(),
    types: z.array(z.object({ name: z.string(), objects: z.number(), at: LineNumber })),
  }),
  /** What tracemalloc had traced, where the program runs it: bytes and blocks by line of source. */
  traced: z.array(
    z.object({ bytes: z.number(), blocks: z.number(), file: z.string(), line: z.number(), at: LineNumber }),
  ),
  /** How long the process counted. */
  seconds: z.number(),
});
export type PyrasiteData = z.infer<typeof PyrasiteData>;

const SCRIPTS = [
  'pyrasite.sh',
  'pyrasite.py',
  'pyrasite_guard.py',
  'pyrasite_ways.py',
  'pyrasite_pending.py',
  'pyrasite_payload.py',
  'ptrace-guard.sh',
] as const;
const LEAST_WATCH = 1;
const MOST_WATCH = 5;

/**
 * What a CPython process itself says of its objects: a script of ours runs in it, once, in a thread of its own, for at most ten
 * seconds. Nothing is attached to it. The main thread runs the script when it comes to it: by the interpreter's own protocol from
 * 3.14 on (PEP 768), before by a pending call (Python/ceval.c) that is written into its memory. CPython 2.7 and 3.6 (where
 * they have their symbols) to 3.14. It is watched for the window before, and refused when it spins, is blocked or idle, is in a
 * signal handler, is confined, or sees other files than its host. Measured:
 * with a million objects it counts for 1.2 s, in which a program that ticks every 2 ms had no gap of more than 25 ms; a debugger
 * that calls functions in a process that sleeps, as the tool of this name does, ended it each time.
 */
export const pyrasite = defineProbe<PyrasiteData>({
  id: 'pyrasite',
  title: 'Objects as the process itself counts them',
  phase: 5,
  impacts: ['slows', 'risks-death'],
  ptraces: false,
  needs: { python: true, pythonTarget: true, privilege: 'ptrace' },
  limits: {
    seconds: (step) => Math.min(Math.max(step.windowSeconds, LEAST_WATCH), MOST_WATCH) + 45,
    bytes: 300_000,
    endWith: 'TERM',
  },
  options: z.strictObject({}),
  data: PyrasiteData,
  command: ({ target, windowSeconds, known }) => ({
    argv: [
      'sh',
      '{script:pyrasite.sh}',
      String(target.pid),
      target.startTime,
      String(Math.min(Math.max(windowSeconds, LEAST_WATCH), MOST_WATCH)),
      known?.python ?? 'python3',
      '{script:ptrace-guard.sh}',
      '{script:pyrasite.py}',
    ],
    scripts: [...SCRIPTS, ...VARIABLE_READERS],
  }),
  preview: figuresInShort,
  parse: parsePyrasite,
});
