import { z } from 'zod';
import {
  defineProbe,
  type Evidence,
  evidenceErrorText,
  evidenceLines,
  LineNumber,
  type Parsed,
  UnseenReason,
} from '../model/index.ts';
import { isLibraryFile } from '../reading/python.ts';
import { unquote } from '../reading/quoted-names.ts';
import { VARIABLE_READERS } from './py-stacks.readers.ts';

export const FrameWithLocals = z.object({
  function: z.string(),
  file: z.string(),
  line: z.number().int(),
  /** `text` is what was printed: `3`, `"abc"`, `list of 3: [1, 2, 3]`, `Client at 0x7f… {port=5432}`, `?` for what cannot be told. */
  variables: z.array(z.object({ name: z.string(), text: z.string(), at: LineNumber })),
  at: LineNumber,
});
export type FrameWithLocals = z.infer<typeof FrameWithLocals>;

export const PyLocalsData = z.object({
  version: z.string(),
  /** How many threads the process has; fewer are in `threads` when one was asked for. */
  found: z.number().int(),
  threads: z.array(
    z.object({
      /** Kernel thread id; null when it cannot be told. */
      tid: z.number().int().nullable(),
      name: z.string(),
      /** It held the interpreter lock when the look began. */
      gil: z.boolean(),
      /** It went on while it was read: its variables may be of different moments. */
      moving: z.boolean(),
      /** Innermost first. Empty when it has no Python frames, or when they could not be read. */
      frames: z.array(FrameWithLocals),
      at: LineNumber,
    }),
  ),
});
export type PyLocalsData = z.infer<typeof PyLocalsData>;

const NAME = String.raw`("(?:[^"\\]|\\.)*"|[^\s"\\]+)`;
const HEAD = /^python (\S{1,40}) threads (\d{1,7})$/;
const THREAD = new RegExp(`^thread (\\d{1,10}|\\?) ${NAME}( \\[holds the interpreter lock\\])?( \\[moving\\])?$`);
const FRAME = new RegExp(`^ {2}${NAME} {2}${NAME}:(-?\\d{1,9}) {2}\\(def at -?\\d{1,9}\\)$`);
const VARIABLE = new RegExp(`^ {4}${NAME} = (.+)$`);
const NOTE = new RegExp(`^note ${NAME}$`);

type Thread = PyLocalsData['threads'][number];

const readThread = (line: string, at: number): Thread | null => {
  const [, tid, name, gil, moving] = THREAD.exec(line) ?? [];
  if (tid === undefined || name === undefined) return null;
  return {
    tid: tid === '?' ? null : Number(tid),
    name: unquote(name),
    gil: gil !== undefined,
    moving: moving !== undefined,
    frames: [],
    at,
  };
};

const readFrame = (line: string, at: number): FrameWithLocals | null => {
  const [, name, file, number] = FRAME.exec(line) ?? [];
  if (name === undefined || file === undefined) return null;
  return { function: unquote(name), file: unquote(file), line: Number(number), variables: [], at };
};

const cannot = (lines: readonly string[], evidence: Evidence): Parsed<PyLocalsData> => {
  const [, reason, sentence] = /^unreadable (\S+) (.+)$/.exec(lines[0]?.slice(0, 500) ?? '') ?? [];
  const known = UnseenReason.safeParse(reason);
  if (known.success && sentence !== undefined) return { ok: false, reason: known.data, why: sentence };
  const said = evidenceErrorText(evidence).trim().split('\n').at(-1)?.slice(0, 200) ?? '';
  return { ok: false, reason: 'not-parsable', why: `no variables were read${said === '' ? '' : `: ${said}`}` };
};

const parse = (evidence: Evidence): Parsed<PyLocalsData> => {
  const lines = evidenceLines(evidence);
  const head = HEAD.exec(lines[0] ?? '');
  if (head === null) return cannot(lines, evidence);
  const none = lines.find((line) => line.startsWith('none: '));
  if (none !== undefined) {
    return { ok: false, reason: 'failed', why: `the process has no such thread; it has ${none.slice(6, 1_000)}` };
  }
  const threads: Thread[] = [];
  const partly: string[] = [];
  let unread = 0;
  lines.forEach((line, index) => {
    const at = index + 1;
    const thread = readThread(line, at);
    if (thread !== null) threads.push(thread);
    const frame = thread === null ? readFrame(line, at) : null;
    if (frame !== null) threads.at(-1)?.frames.push(frame);
    const [, name, text] = VARIABLE.exec(line) ?? [];
    if (name !== undefined && text !== undefined)
      threads
        .at(-1)
        ?.frames.at(-1)
        ?.variables.push({ name: unquote(name), text, at });
    const note = NOTE.exec(line)?.[1];
    if (note !== undefined) partly.push(unquote(note));
    if (line.startsWith('  unread: ')) unread += 1;
  });
  if (unread > 0) partly.push(`the stacks of ${unread} threads changed all the time and were not read`);
  if (!lines.includes('end')) partly.push('reading the variables was broken off');
  return { ok: true, data: { version: head[1] ?? '', found: Number(head[2]), threads }, partly };
};

const PREVIEW_THREADS = 6;

/** For each thread where it is, and the frames of its own code with their variables. */
const preview = ({ threads }: PyLocalsData): readonly string[] =>
  threads.slice(0, PREVIEW_THREADS).flatMap(({ tid, name, moving, frames }) => {
    const [innermost] = frames;
    const own = frames.filter(({ file }) => !isLibraryFile(file));
    const shown = own.length > 0 ? own : frames.slice(0, 1);
    const head = `thread ${tid ?? '?'}${name === '' ? '' : ` ${name}`}${moving ? ', which went on meanwhile' : ''}`;
    return [
      innermost === undefined
        ? `${head}: no Python frames`
        : `${head}: in ${innermost.function} (${innermost.file}:${innermost.line})`,
      ...shown.flatMap((frame) => [
        `  ${frame.function}  ${frame.file}:${frame.line}`,
        ...frame.variables.map((each) => `    ${each.name} = ${each.text}`),
      ]),
    ];
  });

/** How long reading may take, seconds. */
const SECONDS = 8;

/** The script, and the modules that it loads from its own folder. */
const SCRIPTS = ['py-locals.py', ...VARIABLE_READERS, 'py_read_locals.py'] as const;

/**
 * The local variables of one thread or all, with their stacks, read from the process's memory (process_vm_readv(2)) while
 * it runs: it is not attached to and not stopped, and none of its code runs, not even a `__repr__`. CPython 2.7 and 3.6 to
 * 3.14. `thread` is a thread id, or threading's name for it, whole or in part.
 */
export const pyLocals = defineProbe<PyLocalsData>({
  id: 'py-locals',
  title: 'Local variables of Python threads, without stopping the process',
  phase: 2,
  impacts: ['none'],
  ptraces: false,
  needs: { python: true, pythonTarget: true, privilege: 'ptrace' },
  limits: { seconds: () => SECONDS + 10, bytes: 1_000_000, endWith: 'TERM' },
  options: z.strictObject({ thread: z.string().min(1).max(200).optional() }),
  data: PyLocalsData,
  command: ({ target, known, options }) => ({
    argv: [
      known?.python ?? 'python3',
      '-I',
      '-S',
      '-B',
      '{script:py-locals.py}',
      String(target.pid),
      target.startTime,
      String(SECONDS),
      ...(typeof options.thread === 'string' ? [options.thread] : []),
    ],
    scripts: SCRIPTS,
  }),
  preview,
  parse,
});
