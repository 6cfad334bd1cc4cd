import { z } from 'zod';
import {
  defineProbe,
  type Evidence,
  evidenceErrorText,
  evidenceLines,
  LineNumber,
  type Parsed,
  type StepContext,
} from '../model/index.ts';
import {
  type CountRow,
  countColumns,
  type ParsedCall,
  parseCall,
  parseCountRow,
  parseTraceLine,
} from './strace.parse.ts';
import { straceInShort } from './strace.preview.ts';
import { attachedThreads, readScriptLines } from './strace.script.ts';

export const SyscallRecord = z.object({
  tid: z.number().int(),
  /** Seconds since the first record. */
  time: z.number(),
  name: z.string(),
  args: z.string(),
  /** Null while it has not returned. */
  result: z.string().nullable(),
  /** `EAGAIN`, …; null when it succeeded or has not returned. */
  errno: z.string().nullable(),
  /** Seconds it took; null when not returned. */
  seconds: z.number().nullable(),
  at: LineNumber,
});
export type SyscallRecord = z.infer<typeof SyscallRecord>;
export const SignalRecord = z.object({
  tid: z.number().int(),
  time: z.number(),
  signal: z.string(),
  /** SI_USER, SI_TKILL, SI_KERNEL, CLD_EXITED, … */
  code: z.string().nullable(),
  /** Sender for SI_USER and SI_TKILL, child for SIGCHLD. */
  pid: z.number().int().nullable(),
  at: LineNumber,
});
export type SignalRecord = z.infer<typeof SignalRecord>;
export const StraceData = z.object({
  /** Seconds that counting took; calls per name over all threads. */
  summary: z.object({
    seconds: z.number(),
    calls: z.array(
      z.object({
        name: z.string(),
        calls: z.number().int(),
        errors: z.number().int(),
        seconds: z.number(),
        at: LineNumber,
      }),
    ),
  }),
  /** A bounded sample in full. */
  detail: z.object({
    /** Seconds from first record to last, or to the end of the window when it was not cut. */
    seconds: z.number(),
    /** Ended at the line limit and not at the end of its time. */
    cut: z.boolean(),
    calls: z.array(SyscallRecord),
    signals: z.array(SignalRecord),
  }),
  /** Threads that were attached. */
  attached: z.array(z.number().int()),
});
export type StraceData = z.infer<typeof StraceData>;

type Calls = StraceData['summary']['calls'];

const readTrace = (lines: readonly string[], mainThread: number) => {
  const calls: SyscallRecord[] = [];
  const signals: SignalRecord[] = [];
  /** Calls that have not returned, by thread. */
  const open = new Map<number, { record: SyscallRecord; text: string }>();
  const previous = new Map<number, SyscallRecord>();
  const table = new Map<string, Calls[number]>();
  let columns: string[] | null = null;
  let zero: number | null = null;
  let last = 0;
  let day = 0;

  const sinceZero = (time: number | null): number => {
    if (time === null) return last;
    zero ??= time;
    // `-tt` starts again at midnight.
    if (time < 86_400 && time + day - zero < last - 43_200) day += 86_400;
    const since = Math.max(0, time + day - zero);
    last = Math.max(last, since);
    return since;
  };

  /** A restarted call is the one that was interrupted, if the trace saw that; strace's own word for it is a guess. */
  const trueName = (tid: number, name: string): string => {
    const before = previous.get(tid);
    return name === 'restart_syscall' && before?.errno === 'ERESTART_RESTARTBLOCK' ? before.name : name;
  };

  const add = (tid: number, time: number | null, at: number, call: ParsedCall): SyscallRecord => {
    const record: SyscallRecord = { tid, time: sinceZero(time), at, ...call, name: trueName(tid, call.name) };
    calls.push(record);
    previous.set(tid, record);
    return record;
  };

  const addRow = (row: CountRow, at: number): void => {
    const known = table.get(row.name);
    if (known === undefined) table.set(row.name, { ...row, at });
    else {
      // One table for each personality (32 and 64 bit) of the process.
      known.calls += row.calls;
      known.errors += row.errors;
      known.seconds += row.seconds;
    }
  };

  lines.forEach((line, index) => {
    const at = index + 1;
    columns = countColumns(line) ?? (line.startsWith('== ') ? null : columns);
    if (columns !== null) {
      const row = parseCountRow(line, columns);
      if (row !== null) addRow(row, at);
      return;
    }
    const traced = parseTraceLine(line);
    if (traced === null) return;
    const tid = traced.tid ?? mainThread;
    if (traced.kind === 'signal') {
      const { signal, code, pid } = traced;
      signals.push({ tid, time: sinceZero(traced.time), signal, code, pid, at });
    } else if (traced.kind === 'call') {
      open.delete(tid);
      add(tid, traced.time, at, traced.call);
    } else if (traced.kind === 'unfinished') {
      const call = parseCall(traced.text) ?? { name: traced.name, args: '' };
      const record = add(tid, traced.time, at, { ...call, result: null, errno: null, seconds: null });
      open.set(tid, { record, text: traced.text });
    } else {
      const begun = open.get(tid);
      open.delete(tid);
      sinceZero(traced.time);
      const whole = parseCall(`${begun?.text ?? `${traced.name}(`}${traced.rest}`);
      if (whole === null) return;
      // Keeps the name under which the call was recorded when it began.
      if (begun !== undefined) Object.assign(begun.record, whole, { name: begun.record.name });
      else add(tid, traced.time, at, whole);
    }
  });
  return { calls, signals, table: [...table.values()], counted: columns !== null || table.size > 0, seconds: last };
};

/** What `strace -c` would have counted in a trace that is there in full: the calls that returned. */
const countDetail = (calls: readonly SyscallRecord[]): Calls => {
  const rows = new Map<string, Calls[number]>();
  for (const call of calls) {
    if (call.result === null) continue;
    const row = rows.get(call.name) ?? { name: call.name, calls: 0, errors: 0, seconds: 0, at: call.at };
    row.calls++;
    if (call.errno !== null) row.errors++;
    row.seconds += call.seconds ?? 0;
    rows.set(call.name, row);
  }
  return [...rows.values()].sort((a, b) => b.calls - a.calls);
};

const cannot = (reason: 'missing-tool' | 'target-gone' | 'failed' | 'no-permission' | 'not-parsable', why: string) =>
  ({ ok: false, reason, why }) as const;

const parse = (evidence: Evidence, step: StepContext): Parsed<StraceData> => {
  const lines = evidenceLines(evidence);
  const messages = evidenceErrorText(evidence);
  const { pid } = step.target;
  const script = readScriptLines(lines);
  if (script.missing) return cannot('missing-tool', 'strace is not installed on the host');
  if (script.gone) return cannot('target-gone', `process ${pid} had ended before strace could attach`);
  if (script.tracedBy !== null) {
    return cannot(
      'failed',
      `process ${pid} is already traced by process ${script.tracedBy}, and only one can trace it`,
    );
  }
  const trace = readTrace(lines, pid);
  const attached = attachedThreads(
    `${messages}\n${lines.filter((line) => /^(?:strace: )?Process \d/.test(line)).join('\n')}`,
  );
  const empty = trace.calls.length === 0 && trace.signals.length === 0 && !trace.counted;
  if (empty && attached.length === 0) {
    if (/Operation not permitted|Permission denied/.test(messages)) {
      return cannot(
        'no-permission',
        `strace was not permitted to attach to process ${pid}: it needs root, or the process's own user where ptrace_scope allows it`,
      );
    }
    if (/No such process/.test(messages))
      return cannot('target-gone', `process ${pid} ended before strace could attach`);
    if (script.detail === null || script.detail.exit === 1) {
      const said = messages.trim().split('\n').at(-1)?.slice(0, 200) ?? '';
      return cannot(
        script.present ? 'failed' : 'not-parsable',
        `strace did not attach${said === '' ? '' : `: ${said}`}`,
      );
    }
  }
  const cut = script.detail?.cut ?? false;
  const seconds = script.detail !== null && !cut ? Math.max(script.detail.seconds, trace.seconds) : trace.seconds;
  const partly: string[] = [];
  if (script.present && script.detail === null) partly.push('the trace was broken off before its window ended');
  if (script.killed)
    partly.push('strace hung in letting go of the process and was killed; what it saw last may be missing');
  if (script.stillTracedBy !== null) partly.push(`process ${pid} is now traced by process ${script.stillTracedBy}`);
  return {
    ok: true,
    data: {
      summary: trace.counted
        ? { seconds: script.countSeconds ?? seconds, calls: trace.table }
        : { seconds, calls: countDetail(trace.calls) },
      detail: { seconds, cut, calls: trace.calls, signals: trace.signals },
      attached,
    },
    partly,
  };
};

/** Lines of detail beyond which strace lets go; measured, 2,000 lines of a process at full speed take it about 0.3 s. */
const DETAIL_LINES = 2_000;
/** A blocked thread takes a line of its own at attach, so a process with many gets more lines, up to this. */
const MOST_LINES = 10_000;

/**
 * The system calls of all threads (strace(1)). Measured on two cores: a process that made 2,400,000 calls a second
 * makes about 7,000 while it is traced, counted or in full; one that sleeps feels nothing after the attach, which took
 * 1 ms for one thread and 120 ms for 1,000. Hence the detail's line limit and the short count after it.
 */
export const strace = defineProbe<StraceData>({
  id: 'strace',
  title: 'System calls of all threads',
  phase: 3,
  impacts: ['slows'],
  ptraces: true,
  needs: { anyOf: [['strace']], privilege: 'ptrace' },
  limits: {
    seconds: (step) => step.windowSeconds + 8,
    bytes: 4 * 1024 * 1024,
    endWith: 'TERM',
  },
  options: z.strictObject({ lines: z.number().int().min(100).max(MOST_LINES).optional() }),
  data: StraceData,
  command: (step) => {
    const asked = typeof step.options.lines === 'number' ? step.options.lines : DETAIL_LINES;
    const lines = Math.min(MOST_LINES, asked + (step.known?.threads ?? 0));
    const window = Math.round(step.windowSeconds * 1000);
    return {
      argv: ['sh', '{script:strace.sh}', String(step.target.pid), String(window), String(lines)],
      scripts: ['strace.sh'],
    };
  },
  preview: straceInShort,
  parse,
});
