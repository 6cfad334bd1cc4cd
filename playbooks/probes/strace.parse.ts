/** Reads single lines of strace 4.x to 6.x. Nothing here throws, whatever the bytes. */

interface Prefix {
  /** Thread id; null when strace printed none, as it does for a process with one thread and no `-o`. */
  readonly tid: number | null;
  /** Seconds on strace's clock (`-ttt`: since 1970, `-tt`: since midnight); null without a time stamp. */
  readonly time: number | null;
}

/** What one line of a trace says. `text` of an unfinished call and `rest` of its resumption make one whole call. */
export type TraceLine = Prefix &
  (
    | { readonly kind: 'call'; readonly call: ParsedCall }
    | { readonly kind: 'unfinished'; readonly name: string; readonly text: string }
    | { readonly kind: 'resumed'; readonly name: string; readonly rest: string }
    | { readonly kind: 'signal'; readonly signal: string; readonly code: string | null; readonly pid: number | null }
  );

/** One system call with its answer, as strace writes it: `name(args) = result errno (words) <seconds>`. */
export interface ParsedCall {
  readonly name: string;
  readonly args: string;
  readonly result: string | null;
  readonly errno: string | null;
  readonly seconds: number | null;
}

/** One row of the table of `strace -c`. */
export interface CountRow {
  readonly name: string;
  readonly calls: number;
  readonly errors: number;
  readonly seconds: number;
}

const PREFIX = /^(?:\[pid +(\d{1,10})\] +|(\d{1,10}) +)?(?:(\d{1,12}\.\d{1,9}) +|(\d\d):(\d\d):(\d\d)(\.\d{1,9})? +)?/;
const CALL_START = /^([a-z_?][\w?]{0,60})\(/;
const RESUMED = /^<\.\.\. ([a-z_?][\w?]{0,60}) resumed> ?(.*)$/s;
const OPEN_END = / ?<(?:unfinished|detached) \.\.\.>$/;
const SIGNAL = /^--- (SIG[A-Z0-9_+]{2,15}) (\{.*|\(.*)---$/s;
const KILLED = /^\+\+\+ killed by (SIG[A-Z0-9_+]{2,15})(?: \(core dumped\))? \+\+\+$/;

/** Index just after the string that opens at `start`; strace escapes quotes in it (print_quoted_string, util.c). */
const skipString = (text: string, start: number): number => {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '"') return i + 1;
  }
  return text.length;
};

/**
 * Index of the parenthesis that closes the argument list open at `start`, or -1. Strings are skipped, and so are the
 * paths that `-y` puts in angle brackets behind a descriptor, in which strace escapes the brackets: either may hold what
 * looks like the end of the call.
 */
const closingParenthesis = (text: string, start: number): number => {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const char = text[i];
    if (char === '"') i = skipString(text, i) - 1;
    else if (char === '<' && /[0-9D]/.test(text[i - 1] ?? '')) {
      // `1<<20` is a shift; a socket's `<TCP:[a:1->b:2]>` holds a bracket of its own.
      const socket = /^<[A-Z][\w-]{0,20}:\[/.test(text.slice(i, i + 24));
      const end = text[i + 1] === '<' ? i + 1 : text.indexOf(socket ? ']>' : '>', i);
      if (end === -1) return -1;
      i = end;
    } else if (char === '(') depth++;
    else if (char === ')' && --depth === 0) return i;
  }
  return -1;
};

/** Where the last `) = ` of a line that was cut in the middle closes its arguments, or -1. */
const lastClosing = (text: string): number => {
  for (let at = text.lastIndexOf(' = '); at > 0; at = text.lastIndexOf(' = ', at - 1)) {
    const before = text.slice(0, at).trimEnd();
    if (before.endsWith(')')) return before.length - 1;
  }
  return -1;
};

const readAnswer = (text: string): Pick<ParsedCall, 'result' | 'errno' | 'seconds'> => {
  const timed = / <(\d{1,9}\.\d{1,9})>$/.exec(text);
  const said = (timed === null ? text : text.slice(0, timed.index)).replace(/ <unavailable>$/, '').trim();
  const failed = /^(-1|\?) ([A-Z][A-Z0-9_]+)(?: |$)/.exec(said);
  return {
    result: failed?.[1] ?? said,
    errno: failed?.[2] ?? null,
    seconds: timed === null ? null : Number(timed[1]),
  };
};

/**
 * Reads a whole call, `read(3, "x", 1) = 1 <0.000010>`, or null when it is none. A call without an answer has null for
 * result, errno and seconds.
 */
export const parseCall = (text: string): ParsedCall | null => {
  const name = CALL_START.exec(text)?.[1];
  if (name === undefined) return null;
  const open = name.length;
  const scanned = closingParenthesis(text, open);
  const close = scanned !== -1 && /^\s*= /.test(text.slice(scanned + 1, scanned + 80)) ? scanned : lastClosing(text);
  if (close <= open) {
    return { name, args: text.slice(open + 1).replace(OPEN_END, ''), result: null, errno: null, seconds: null };
  }
  const answer = text
    .slice(close + 1)
    .trimStart()
    .slice(1)
    .trimStart();
  // A thread that is killed inside a call leaves `name(args <unfinished ...>) = ?`.
  return { name, args: text.slice(open + 1, close).replace(OPEN_END, ''), ...readAnswer(answer) };
};

const readSignal = (signal: string, info: string) => ({
  kind: 'signal' as const,
  signal,
  code: /\bsi_code=([A-Z][A-Z0-9_]*)/.exec(info)?.[1] ?? null,
  pid: Number(/\bsi_pid=(\d{1,10})/.exec(info)?.[1] ?? Number.NaN) || null,
});

/**
 * Reads one line of a trace; null for lines that are none (exit notices, group stops, messages of strace itself).
 * SIGKILL has no delivery line, so the notice that it ended a thread stands for it.
 */
export const parseTraceLine = (line: string): TraceLine | null => {
  const prefix = PREFIX.exec(line);
  const tid = prefix?.[1] ?? prefix?.[2];
  const [hours, minutes, seconds] = [prefix?.[4], prefix?.[5], prefix?.[6]];
  const clock = hours === undefined ? null : Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  const stamp: Prefix = {
    tid: tid === undefined ? null : Number(tid),
    time: prefix?.[3] !== undefined ? Number(prefix[3]) : clock === null ? null : clock + Number(prefix?.[7] ?? 0),
  };
  const text = line.slice(prefix?.[0].length ?? 0);

  const name = CALL_START.exec(text)?.[1];
  if (name !== undefined) {
    if (OPEN_END.test(text)) return { ...stamp, kind: 'unfinished', name, text: text.replace(OPEN_END, '') };
    const call = parseCall(text);
    if (call === null) return null;
    return call.result === null ? { ...stamp, kind: 'unfinished', name, text } : { ...stamp, kind: 'call', call };
  }
  const resumed = RESUMED.exec(text);
  if (resumed !== null) return { ...stamp, kind: 'resumed', name: resumed[1] ?? '', rest: resumed[2] ?? '' };
  const signal = SIGNAL.exec(text);
  if (signal !== null) return { ...stamp, ...readSignal(signal[1] ?? '', signal[2] ?? '') };
  const killed = KILLED.exec(text);
  if (killed?.[1] === 'SIGKILL') return { ...stamp, kind: 'signal', signal: 'SIGKILL', code: null, pid: null };
  return null;
};

/** Column names of a `strace -c` table from its heading, or null when the line is none. */
export const countColumns = (line: string): string[] | null =>
  line.startsWith('% time ') ? ['%', ...line.slice(7).trim().split(/\s+/)] : null;

/**
 * Reads one row of a `strace -c` table; null for rules, the total, and anything else. The errors column is empty for
 * calls that never failed, so a row may have one word less than the heading.
 */
export const parseCountRow = (line: string, columns: readonly string[]): CountRow | null => {
  const words = line.trim().split(/\s+/);
  const present = words.length === columns.length ? columns : columns.filter((column) => column !== 'errors');
  if (words.length !== present.length || !/^\d/.test(words[0] ?? '')) return null;
  const cell = (column: string): string => words[present.indexOf(column)] ?? '';
  const name = cell('syscall');
  const row = { name, calls: Number(cell('calls')), errors: Number(cell('errors')), seconds: Number(cell('seconds')) };
  const sane = Number.isSafeInteger(row.calls) && Number.isSafeInteger(row.errors) && Number.isFinite(row.seconds);
  return sane && name !== '' && name !== 'total' ? row : null;
};
