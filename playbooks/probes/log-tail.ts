import { z } from 'zod';
import {
  defineProbe,
  type Evidence,
  evidenceErrorText,
  evidenceLines,
  LineNumber,
  type Parsed,
} from '../model/index.ts';
import { unquote } from '../reading/quoted-names.ts';

/** What a log line tells of, as log_tail.py sorts them; `detail` lines follow a fatal error and belong to it. */
export const LogKind = z.enum([
  'refcount',
  'fatal-python',
  'detail',
  'heap',
  'worker-timeout',
  'worker-died',
  'segfault',
  'memory',
  'files',
  'disk',
  'database',
  'threads',
  'asked',
]);
export type LogKind = z.infer<typeof LogKind>;

export const LogStream = z.enum(['stdout', 'stderr']);

export const LogLine = z.object({
  /** Index in `files`; null for the journal. */
  file: z.number().int().nullable(),
  /** Where the line begins in the file, in bytes. */
  offset: z.number().int(),
  kind: LogKind,
  /** What the log says of the line, or else the line itself, seconds since 1970; null when neither does. */
  time: z.number().nullable(),
  /** What it was written to, where the log says so. */
  stream: LogStream.optional(),
  /** Without a time of its own, and above the line with which the server says that it starts: of an earlier run. */
  before: z.boolean(),
  text: z.string(),
  at: LineNumber,
});
export type LogLine = z.infer<typeof LogLine>;

/** The process that writes a log, where that is another: it reads what this one writes. `format` is what it puts it into. */
export const LogThrough = z.object({
  pid: z.number().int(),
  command: z.string(),
  format: z.enum(['json-file', 'cri', 'local']).nullable(),
});
export type LogThrough = z.infer<typeof LogThrough>;

export const LogTailData = z.object({
  files: z.array(
    z.object({
      path: z.string(),
      bytes: z.number(),
      /** The first byte that was read. */
      from: z.number(),
      /** When it was last written to, seconds since 1970. */
      written: z.number(),
      /** Descriptors of the process that lead there. */
      fds: z.array(z.number().int()),
      through: LogThrough.optional(),
      at: LineNumber,
    }),
  ),
  /** The unit whose journal was read too. */
  journal: z.object({ unit: z.string(), at: LineNumber }).nullable(),
  /** In the order of the logs. Lines that tell of nothing known are not carried. */
  lines: z.array(LogLine),
  /** How often which exception ended a traceback. */
  tracebacks: z.array(
    z.object({ file: z.number().int().nullable(), exception: z.string(), times: z.number().int(), at: LineNumber }),
  ),
  /** Standard output or error is a pipe, socket or terminal that leads to no log: what goes there was not seen, unless the journal has it. */
  elsewhere: z.boolean(),
});
export type LogTailData = z.infer<typeof LogTailData>;

const NAME = String.raw`("(?:[^"\\]|\\.)*")`;
/** The end of a line about a log, as log_tail.py's through() writes it; three groups. */
export const THROUGH = `(?:, through process (\\d{1,10}) ${NAME}(?: as (json-file|cri|local))?)?`;
const FILE = new RegExp(
  `^file (\\d{1,3}): ${NAME}, (\\d{1,18}) bytes, read from (\\d{1,18}), written (\\d{1,12}\\.\\d{3}), fds ([\\d ]{1,200})${THROUGH}$`,
);
const LINE = new RegExp(
  `^line (\\d{1,3}|journal) @ (\\d{1,18}) ([a-z-]{1,20}) time (\\d{1,12}|\\?|before)(?: (stdout|stderr))?: ${NAME}$`,
);
const TRACEBACK = new RegExp(`^traceback (\\d{1,3}|journal) @ \\d{1,18} (\\d{1,6}) times: ${NAME}$`);
const JOURNAL = new RegExp(`^journal: unit ${NAME}, \\d+ bytes$`);

/** Groups of THROUGH as data, to be spread: nothing where the process writes the log itself. */
export const throughOf = (pid?: string, command = '', format?: string): { through?: LogThrough } => {
  if (pid === undefined) return {};
  const known = LogThrough.shape.format.safeParse(format);
  return { through: { pid: Number(pid), command: unquote(command), format: known.success ? known.data : null } };
};

/** What a line `not followed: "..."` of the scripts says, as a gap; null for any other. */
export const notFollowed = (line: string): string | null => {
  const why = new RegExp(`^not followed: ${NAME}$`).exec(line.slice(0, 2000))?.[1];
  return why === undefined ? null : `what it writes to its standard output or error was not all seen: ${unquote(why)}`;
};

const fileOf = (word: string | undefined): number | null => (word === 'journal' ? null : Number(word) - 1);

const readLine = (data: LogTailData, partly: string[], line: string, at: number): void => {
  const found = LINE.exec(line);
  const kind = LogKind.safeParse(found?.[3]);
  if (found !== null && kind.success) {
    const before = found[4] === 'before';
    const time = found[4] === '?' || before ? null : Number(found[4]);
    const known = LogStream.safeParse(found[5]);
    const stream = known.success ? { stream: known.data } : {};
    const text = unquote(found[6] ?? '');
    const offset = Number(found[2]);
    data.lines.push({ file: fileOf(found[1]), offset, kind: kind.data, time, ...stream, before, text, at });
    return;
  }
  const file = FILE.exec(line);
  if (file !== null) {
    const [, , path = '', bytes, from, written, fds = '', ...through] = file;
    const numbers = fds.trim().split(/ +/).map(Number);
    data.files.push({
      path: unquote(path),
      bytes: Number(bytes),
      from: Number(from),
      written: Number(written),
      fds: numbers,
      ...throughOf(...through),
      at,
    });
    return;
  }
  const traceback = TRACEBACK.exec(line);
  if (traceback !== null) {
    const [, where, times, exception = ''] = traceback;
    data.tracebacks.push({ file: fileOf(where), exception: unquote(exception), times: Number(times), at });
    return;
  }
  const journal = JOURNAL.exec(line);
  if (journal !== null) data.journal = { unit: unquote(journal[1] ?? ''), at };
  const missing = /^not (?:read|shown): (.{1,300})$/.exec(line);
  if (missing !== null) partly.push(`of its logs was not read: ${missing[1]}`);
  const why = notFollowed(line);
  if (why !== null) partly.push(why);
};

const parse = (evidence: Evidence): Parsed<LogTailData> => {
  const lines = evidenceLines(evidence);
  const said = lines[1] ?? '';
  if (said.startsWith('gone: ')) return { ok: false, reason: 'target-gone', why: said.slice(6, 300) };
  if (said.startsWith('not readable: ')) return { ok: false, reason: 'no-permission', why: said.slice(0, 300) };
  if (said.startsWith('bad pattern: '))
    return { ok: false, reason: 'failed', why: `the pattern that was asked for is no regular expression` };
  if (lines[0] !== 'log-tail 1') {
    const complaint = evidenceErrorText(evidence).trim().split('\n').at(-1)?.slice(0, 200) ?? '';
    return { ok: false, reason: 'not-parsable', why: `no logs were read${complaint === '' ? '' : `: ${complaint}`}` };
  }
  const data: LogTailData = { files: [], journal: null, lines: [], tracebacks: [], elsewhere: false };
  const partly: string[] = [];
  lines.forEach((line, index) => {
    readLine(data, partly, line.slice(0, 8192), index + 1);
  });
  data.elsewhere = lines.includes('elsewhere: standard output or error is no file');
  if (!lines.includes('end')) partly.push('reading the logs was broken off');
  return { ok: true, data, partly };
};

/** The scripts that find and read logs, for those that begin with them. */
export const LOG_SCRIPTS: readonly string[] = [
  'log_tail.py',
  'log_signs.py',
  'log_places.py',
  'log_pipes.py',
  'log_container.py',
  'log_formats.py',
  'log_read.py',
  'proc_files.py',
  'regular_files.py',
  'py_read_report.py',
];

/**
 * The ends of the logs that the process itself has open, of those that its output leads to (a container's log on the host, what a
 * supervisor or tee writes), and of its unit's journal: only lines that tell of known trouble
 * (workers that died, fatal errors, limits that were met), unless a `pattern` (a Python regular expression) asks for more.
 */
export const logTail = defineProbe<LogTailData>({
  id: 'log-tail',
  title: 'Known trouble in the process’s own logs',
  phase: 1,
  impacts: ['none'],
  ptraces: false,
  needs: { python: true, privilege: 'none' },
  limits: { seconds: () => 10, bytes: 1_000_000, endWith: 'TERM' },
  options: z.strictObject({ pattern: z.string().min(1).max(200).optional() }),
  data: LogTailData,
  command: ({ target, known, options }) => ({
    argv: [
      known?.python ?? 'python3',
      '-I',
      '-S',
      '-B',
      '{script:log_tail.py}',
      String(target.pid),
      target.startTime,
      known?.tools.journalctl ?? '-',
      ...(typeof options.pattern === 'string' ? [options.pattern] : []),
    ],
    scripts: LOG_SCRIPTS,
  }),
  parse,
});
