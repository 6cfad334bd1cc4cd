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
import { clip, count } from '../reading/text.ts';
import { LOG_SCRIPTS, LogStream, LogThrough, notFollowed, THROUGH, throughOf } from './log-tail.ts';

export const LogLinesData = z.object({
  /** Newest first, the journal of the process's unit last. */
  logs: z.array(
    z.object({
      /** Its path; null for the journal. */
      path: z.string().nullable(),
      unit: z.string().nullable(),
      through: LogThrough.optional(),
      /** The first byte that was read; 0 for the journal, of which the last lines are read. */
      from: z.number(),
      /** How many lines were read, how many of them have the text, and how many of those are carried. */
      lines: z.number().int(),
      found: z.number().int(),
      /** `time` as the log has it, in ISO 8601, and what the line was written to, where the log says so. */
      shown: z.array(
        z.object({
          text: z.string(),
          time: z.string().optional(),
          stream: LogStream.optional(),
          at: LineNumber,
        }),
      ),
      at: LineNumber,
    }),
  ),
  /** Standard output or error is a pipe, socket or terminal that leads to no log: what goes there was not seen, unless the journal has it. */
  elsewhere: z.boolean(),
});
export type LogLinesData = z.infer<typeof LogLinesData>;
type Log = LogLinesData['logs'][number];

const NAME = String.raw`("(?:[^"\\]|\\.)*")`;
const COUNTS = String.raw`(\d{1,10}) lines, (\d{1,10}) of them have the text, \d{1,10} shown`;
const FILE = new RegExp(`^file \\d{1,3}: ${NAME}, \\d{1,18} bytes, read from (\\d{1,18})${THROUGH}, ${COUNTS}$`);
const JOURNAL = new RegExp(`^journal: unit ${NAME}, ${COUNTS}$`);
const LINE = /^(?:\d{1,3}|journal)(?: (\d{4}-\d\d-\d\dT[\d:.]{8,18}(?:Z|[+-]\d\d:\d\d)) (stdout|stderr))?\| (.*)$/;

const readLog = (line: string, at: number): Log | null => {
  const file = FILE.exec(line);
  if (file !== null) {
    const [, path = '', from, pid, command, format, lines, found] = file;
    return {
      path: unquote(path),
      unit: null,
      ...throughOf(pid, command, format),
      from: Number(from),
      lines: Number(lines),
      found: Number(found),
      shown: [],
      at,
    };
  }
  const journal = JOURNAL.exec(line);
  if (journal === null) return null;
  const [, unit = '', lines, found] = journal;
  return { path: null, unit: unquote(unit), from: 0, lines: Number(lines), found: Number(found), shown: [], at };
};

const parse = (evidence: Evidence): Parsed<LogLinesData> => {
  const lines = evidenceLines(evidence);
  const said = lines[1] ?? '';
  if (lines[0] !== 'log-lines 1') {
    const complaint = evidenceErrorText(evidence).trim().split('\n').at(-1)?.slice(0, 200) ?? '';
    return { ok: false, reason: 'not-parsable', why: `no logs were read${complaint === '' ? '' : `: ${complaint}`}` };
  }
  if (said.startsWith('gone: ')) return { ok: false, reason: 'target-gone', why: said.slice(6, 300) };
  if (said.startsWith('not readable: ')) return { ok: false, reason: 'no-permission', why: said.slice(0, 300) };
  const data: LogLinesData = { logs: [], elsewhere: false };
  const partly: string[] = [];
  lines.forEach((line, index) => {
    const [, time, stream, text] = LINE.exec(line) ?? [];
    const log = text === undefined ? readLog(line.slice(0, 40_000), index + 1) : null;
    if (log !== null) data.logs.push(log);
    if (text !== undefined) {
      const to = LogStream.safeParse(stream);
      const known = time !== undefined && to.success ? { time, stream: to.data } : {};
      data.logs.at(-1)?.shown.push({ text, ...known, at: index + 1 });
    }
    const lost = notFollowed(line);
    if (lost !== null) partly.push(lost);
    const missing = /^not read: (.{1,300})$/.exec(line)?.[1];
    if (missing !== undefined) partly.push(`of its logs was not read: ${missing}`);
  });
  data.elsewhere = lines.includes('elsewhere: standard output or error is no file');
  const journal = data.logs.some((log) => log.path === null);
  if (data.elsewhere && !journal && !lines.some((line) => notFollowed(line) !== null))
    partly.push(
      'its standard output or error is a pipe, a socket or a terminal: what it writes there is not in these logs',
    );
  if (data.logs.length === 0) partly.push('it has no log file open');
  for (const log of data.logs) {
    const name = log.path ?? `the journal of ${log.unit ?? ''}`;
    if (log.from > 0) partly.push(`of ${name} the end was read, from byte ${log.from}`);
    if (log.shown.length < log.found)
      partly.push(`${name}: the last ${log.shown.length} of ${log.found} lines are here`);
  }
  if (!lines.includes('end')) partly.push('reading the logs was broken off');
  return { ok: true, data, partly };
};

const PREVIEW_LINES = 24;
const PREVIEW_COLUMNS = 300;

/** For each log how many lines were found, and the newest of them. */
const preview = ({ logs }: LogLinesData): readonly string[] => {
  const some = logs.filter((log) => log.shown.length > 0);
  const each = Math.max(2, Math.floor(PREVIEW_LINES / Math.max(1, some.length)));
  return logs.flatMap(({ path, unit, lines, found, shown }) => [
    `${path ?? `journal of ${unit ?? ''}`}: ${found.toLocaleString('en-US')} of ${count(lines, 'line')}${shown.length > each ? `, the last ${each}` : ''}`,
    ...shown.slice(-each).map(({ text, time, stream }) => {
      const known = time === undefined ? '' : `${time.replace(/(\.\d{3})\d+/, '$1')} ${stream} `;
      return `  ${clip(known + text, PREVIEW_COLUMNS)}`;
    }),
  ]);
};

/**
 * Lines of the logs that the process itself has open, of those that its output leads to, and of its unit's journal: those that have `pattern` in them, taken
 * literally and in any case, or without one the last of each. Bounded; what is missing is named.
 */
export const logLines = defineProbe<LogLinesData>({
  id: 'log-lines',
  title: 'Lines of the process’s own logs',
  phase: 2,
  impacts: ['none'],
  ptraces: false,
  needs: { python: true, privilege: 'none' },
  limits: { seconds: () => 20, bytes: 1_000_000, endWith: 'TERM' },
  options: z.strictObject({ pattern: z.string().min(1).max(200).optional() }),
  data: LogLinesData,
  command: ({ target, known, options }) => ({
    argv: [
      known?.python ?? 'python3',
      '-I',
      '-S',
      '-B',
      '{script:log-lines.py}',
      String(target.pid),
      target.startTime,
      known?.tools.journalctl ?? '-',
      ...(typeof options.pattern === 'string' ? [options.pattern] : []),
    ],
    scripts: ['log-lines.py', ...LOG_SCRIPTS],
  }),
  preview,
  parse,
});
