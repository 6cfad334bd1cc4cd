import { z } from 'zod';
import {
  defineProbe,
  type Evidence,
  evidenceErrorText,
  evidenceLines,
  LineNumber,
  type Parsed,
} from '../model/index.ts';
import { parsePyStacks } from '../reading/py-stacks.ts';
import { unquote } from '../reading/quoted-names.ts';
import { readCore, readCoreDetail } from './coredumps.parse.ts';
import { CORE_FINDERS } from './coredumps.readers.ts';
import { CoreFile } from './coredumps.ts';
import { plainName } from './native-stacks.names.ts';
import { PythonThread, pyStacks } from './py-stacks.ts';

export const CoreFrame = z.object({
  /** Null where the object has no symbol for it. */
  function: z.string().nullable(),
  /** Compiled into the function of the next frame. */
  inlined: z.boolean(),
  /** The shared object or executable, as the process saw its path. */
  object: z.string(),
  /** Source file and line, where the object has them. */
  file: z.string().nullable(),
  line: z.number().int().nullable(),
  at: LineNumber,
});
export type CoreFrame = z.infer<typeof CoreFrame>;

export const CoreStacksData = z.object({
  core: CoreFile,
  /** Thread that died, as the process itself counted. */
  died: z.number().int(),
  /** Python threads in the core, one stack each; empty when they could not be read, and `pythonWhy` says why. */
  python: z.array(PythonThread),
  pythonVersion: z.string().nullable(),
  pythonWhy: z.string().nullable(),
  /** C frames of the thread that died, innermost first; empty when gdb could not tell, and `nativeWhy` says why. */
  native: z.array(CoreFrame),
  nativeWhy: z.string().nullable(),
});
export type CoreStacksData = z.infer<typeof CoreStacksData>;

const NAME = String.raw`("(?:[^"\\]|\\.)*")`;
const FRAME = new RegExp(`^#\\d{1,4} +0x[0-9a-f]{1,16} ${NAME}( inlined)? in ${NAME}(?: at ${NAME}:(\\d{1,9}))?$`);

const readFrame = (line: string, at: number): CoreFrame | null => {
  const match = FRAME.exec(line.slice(0, 4096));
  if (match === null) return null;
  const name = unquote(match[1] ?? '');
  return {
    function: name === '??' || name === '' ? null : plainName(name),
    inlined: match[2] !== undefined,
    object: unquote(match[3] ?? ''),
    file: match[4] === undefined ? null : unquote(match[4]),
    line: match[5] === undefined ? null : Number(match[5]),
    at,
  };
};

/** Why there is nothing at all. */
const cannot = (evidence: Evidence, first: string): Parsed<CoreStacksData> => {
  const said = /^unreadable (target-gone|not-applicable) (.+)$/.exec(first);
  if (said !== null) return { ok: false, reason: said[1] as 'target-gone' | 'not-applicable', why: said[2] ?? '' };
  if (evidence.end === 'timed-out') return { ok: false, reason: 'timed-out', why: 'reading the core took too long' };
  const complaint = evidenceErrorText(evidence).trim().split('\n').at(-1)?.slice(0, 200) ?? '';
  return complaint === ''
    ? { ok: false, reason: 'not-parsable', why: 'the stacks in the core were not printed' }
    : { ok: false, reason: 'failed', why: `the core could not be read: ${complaint}` };
};

/** Reads what core_stacks.py and kept-core.py print; `died` is the thread whose C stack they show. Never throws. */
export const parseOpenedCore = (evidence: Evidence): Parsed<CoreStacksData> => {
  const lines = evidenceLines(evidence);
  const start = lines.indexOf('== core');
  const core = start < 0 ? null : readCore((lines[start + 1] ?? '').slice(0, 8192), start + 2);
  if (core === null) return cannot(evidence, (lines[0] ?? '').slice(0, 500));
  const native: CoreFrame[] = [];
  let died: number | null = null;
  let nativeWhy: string | null = null;
  lines.forEach((line, index) => {
    if (index <= start + 1) return;
    const frame = readFrame(line, index + 1);
    if (frame !== null) native.push(frame);
    else if (!readCoreDetail(core, line.slice(0, 4096), index + 1)) {
      died ??= numberIn(/^thread (\d{1,10}) (?:died|shown)$/, line);
      nativeWhy ??= /^no native stack: (.{1,300})/.exec(line)?.[1] ?? null;
    }
  });
  const python = parsePyStacks({ ...evidence, stdout: new TextEncoder().encode(lines.slice(0, start).join('\n')) });
  const partly = [
    ...(python.ok ? (python.partly ?? []) : [`the Python stacks in the core could not be read: ${python.why}`]),
    ...(native.length > 0 ? [] : [`the C stack in the core could not be read: ${nativeWhy ?? 'gdb showed none'}`]),
    ...(lines.includes('== end') ? [] : ['reading the core was broken off']),
  ];
  const data: CoreStacksData = {
    core,
    died: died ?? core.pid ?? 0,
    python: python.ok ? python.data.threads : [],
    pythonVersion: python.ok ? python.data.version : null,
    pythonWhy: python.ok ? null : python.why,
    native,
    nativeWhy: native.length > 0 ? null : (nativeWhy ?? 'gdb showed none'),
  };
  return { ok: true, data, partly };
};

const numberIn = (pattern: RegExp, line: string): number | null => {
  const found = pattern.exec(line)?.[1];
  return found === undefined ? null : Number(found);
};

/** The script and its parts; the readers of Python's stacks are those of py-stacks, which it loads. */
const SCRIPTS = ['core_stacks.py', 'core-stacks.gdb.py', 'core_memory.py', 'coredumps.py', ...CORE_FINDERS] as const;

/** Seconds that gdb may take over a core; about one is usual. */
const GDB_SECONDS = 16;

/**
 * Opens the newest core of the process's family: Python stacks by our own readers, which need neither gdb nor debug
 * information, and the C stack of the thread that died by gdb. It works on a file; the live process is not touched.
 */
export const coreStacks = defineProbe<CoreStacksData>({
  id: 'core-stacks',
  title: 'Stacks in the newest core of the process’s family',
  phase: 3,
  impacts: ['none'],
  ptraces: false,
  needs: { python: true, privilege: 'none' },
  limits: { seconds: () => GDB_SECONDS + 8, bytes: 2_000_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: CoreStacksData,
  command: (step) => ({
    argv: [
      step.known?.python ?? 'python3',
      '-I',
      '-S',
      '-B',
      '{script:core_stacks.py}',
      String(step.target.pid),
      step.target.startTime,
      String(GDB_SECONDS),
      step.known?.tools.gdb ?? '-',
      '{script:core-stacks.gdb.py}',
    ],
    scripts: [...SCRIPTS, ...(pyStacks.command(step).scripts ?? [])],
  }),
  parse: parseOpenedCore,
});
