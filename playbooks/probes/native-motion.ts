import { z } from 'zod';
import {
  defineProbe,
  type Evidence,
  evidenceErrorText,
  evidenceLines,
  LineNumber,
  type Parsed,
  type UnseenReason,
} from '../model/index.ts';
import { unquote } from '../reading/quoted-names.ts';

export const NativeMotionData = z.object({
  tid: z.number().int(),
  name: z.string(),
  looks: z.number().int(),
  /** Seconds between the first and the last look. */
  seconds: z.number(),
  /** The longest that it was held, milliseconds. */
  longestStopMs: z.number(),
  /** Signals that reached the thread meanwhile. */
  signals: z.number().int(),
  memory: z.object({
    watchedKib: z.number().int(),
    /** Beyond the limit, so it may have changed unseen. */
    notWatchedKib: z.number().int(),
    /** Pages that were compared in every look, because they change. */
    pagesMoving: z.number().int(),
    /** Pages that were not the same at the end though they had not been seen to change. */
    pagesElsewhere: z.number().int(),
    at: LineNumber,
  }),
  /** Names of mappings through which somebody else may change what the process reads. */
  shared: z.array(z.string()),
  states: z.object({
    different: z.number().int(),
    /** How often it was again, after another state, exactly as it had been: all registers and all memory. */
    returns: z.number().int(),
    /** States of the first quarter of the looks that were seen in the last quarter too. */
    acrossWindow: z.number().int(),
    at: LineNumber,
  }),
  /** Looks at which it was in a system call. */
  inSystemCalls: z.number().int(),
  stackBytes: z.number().int(),
  /** Where its program counter was, most often first: the mapping, and offsets in its file or addresses, as hex. */
  places: z.array(
    z.object({
      module: z.string(),
      looks: z.number().int(),
      addresses: z.number().int(),
      first: z.string(),
      last: z.string(),
      at: LineNumber,
    }),
  ),
  at: LineNumber,
});
export type NativeMotionData = z.infer<typeof NativeMotionData>;

const NAME = String.raw`("(?:[^"\\]|\\.)*")`;
const THREAD = new RegExp(
  `^thread (\\d{1,10}): ${NAME}, (\\d{1,6}) looks over (\\d{1,4}\\.\\d\\d) s, longest stop (\\d{1,6}\\.\\d\\d) ms, (\\d{1,6}) signals$`,
);
const MEMORY =
  /^memory: (\d{1,12}) kB watched, (\d{1,12}) kB not, (\d{1,9}) pages changed in the looks, (\d{1,9}) others in between$/;
const STATES =
  /^states: (\d{1,6}) different, came back to one (\d{1,6}) times, (\d{1,6}) of the first quarter seen in the last$/;
const PLACE = new RegExp(
  `^at ${NAME}: (\\d{1,6}) looks, (\\d{1,6}) addresses, (0x[0-9a-f]{1,16}) to (0x[0-9a-f]{1,16})$`,
);
const SHARED = new RegExp(`^shared: ${NAME}$`);

/** The first line that matches, with its number; null when none does. */
const find = (lines: readonly string[], pattern: RegExp): { parts: readonly string[]; at: number } | null => {
  const index = lines.findIndex((line) => pattern.test(line));
  const parts = pattern.exec(lines[index] ?? '');
  return parts === null ? null : { parts: [...parts], at: index + 1 };
};

const REASONS: Readonly<Record<string, UnseenReason>> = {
  gone: 'target-gone',
  ended: 'target-gone',
  denied: 'no-permission',
  idle: 'failed',
  unknown: 'failed',
  traced: 'failed',
  failed: 'failed',
};

const cannot = (lines: readonly string[], evidence: Evidence): Parsed<NativeMotionData> => {
  for (const line of lines) {
    const [, kind = '', why = ''] = /^(gone|ended|denied|idle|unknown|traced|failed): (.{1,300})/.exec(line) ?? [];
    const reason = REASONS[kind];
    if (reason === undefined) continue;
    return { ok: false, reason, why: kind === 'denied' ? `holding its thread for a moment was refused: ${why}` : why };
  }
  const said = evidenceErrorText(evidence).trim().split('\n').at(-1)?.slice(0, 200) ?? '';
  return { ok: false, reason: 'not-parsable', why: `no state of the thread was read${said === '' ? '' : `: ${said}`}` };
};

const parse = (evidence: Evidence): Parsed<NativeMotionData> => {
  const lines = evidenceLines(evidence);
  const [thread, memory, states] = [find(lines, THREAD), find(lines, MEMORY), find(lines, STATES)];
  if (thread === null || memory === null || states === null) return cannot(lines, evidence);
  const [, tid, name = '', looks, seconds, longest, signals] = thread.parts;
  const places = lines.flatMap((line, index) => {
    const [, module, count, addresses, first = '', last = ''] = PLACE.exec(line) ?? [];
    if (module === undefined) return [];
    return [
      { module: unquote(module), looks: Number(count), addresses: Number(addresses), first, last, at: index + 1 },
    ];
  });
  const data: NativeMotionData = {
    tid: Number(tid),
    name: unquote(name),
    looks: Number(looks),
    seconds: Number(seconds),
    longestStopMs: Number(longest),
    signals: Number(signals),
    memory: {
      watchedKib: Number(memory.parts[1]),
      notWatchedKib: Number(memory.parts[2]),
      pagesMoving: Number(memory.parts[3]),
      pagesElsewhere: Number(memory.parts[4]),
      at: memory.at,
    },
    shared: lines.flatMap((line) => {
      const mapped = SHARED.exec(line)?.[1];
      return mapped === undefined ? [] : [unquote(mapped)];
    }),
    states: {
      different: Number(states.parts[1]),
      returns: Number(states.parts[2]),
      acrossWindow: Number(states.parts[3]),
      at: states.at,
    },
    inSystemCalls: Number(find(lines, /^system calls: in (\d{1,6}) looks$/)?.parts[1] ?? looks),
    stackBytes: Number(find(lines, /^stack pointer: within (\d{1,15}) bytes$/)?.parts[1] ?? 0),
    places,
    at: thread.at,
  };
  const cut = lines.find((line) => line.startsWith('cut: '))?.slice(5);
  const partly = [
    ...(cut === undefined ? [] : [cut]),
    ...(lines.includes('end') ? [] : ['the list of states breaks off']),
  ];
  return { ok: true, data, partly };
};

/**
 * Whether the busiest thread comes back to exactly the states it was in: some hundred looks at its registers (ptrace(2): SEIZE,
 * INTERRUPT, GETREGSET) and at all that the process can write (/proc/PID/mem). Measured: it is held for 0.1 to 0.6 ms a look,
 * up to 16 ms where processors are short, and loses a few per cent of its time for the window.
 */
export const nativeMotion = defineProbe<NativeMotionData>({
  id: 'native-motion',
  title: 'Whether the busiest thread comes back to the same states',
  phase: 4,
  impacts: ['stops'],
  ptraces: true,
  needs: { python: true, privilege: 'ptrace' },
  limits: { seconds: ({ windowSeconds }) => 2 * Math.min(windowSeconds, 10) + 20, bytes: 100_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: NativeMotionData,
  command: ({ target, windowSeconds, known }) => ({
    argv: [
      known?.python ?? 'python3',
      '-I',
      '-S',
      '-B',
      '{script:native-motion.py}',
      String(target.pid),
      target.startTime,
      String(windowSeconds),
    ],
    scripts: ['native-motion.py', 'native_states.py', 'proc_files.py'],
  }),
  parse,
});
