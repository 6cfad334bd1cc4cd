import type { Parsed } from '../model/index.ts';
import type { SampleData, SampledThread } from './sample.ts';

type Process = SampleData['process'];

interface Line {
  readonly text: string;
  readonly at: number;
}

/** A thread while its lines are being read. */
interface OpenThread extends Omit<SampledThread, 'syscalls' | 'wchans' | 'kernelStack' | 'ownLock'> {
  readonly syscalls: SampledThread['syscalls'];
  readonly wchans: SampledThread['wchans'];
  kernelStack: string[];
  ownLock?: SampledThread['ownLock'];
}

const HEADER =
  /^"((?:[^"\\]|\\.)*)", (\d{1,9}) samples, states((?: \S \d{1,9})*), user (\d+\.\d+) s, system (\d+\.\d+) s, switches (\d{1,15}|\?) voluntary (\d{1,15}|\?) involuntary$/;

const numberOr = (text: string | undefined, otherwise: number): number =>
  text !== undefined && /^-?\d{1,15}(\.\d{1,9})?$/.test(text) ? Number(text) : otherwise;

const count = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;

/** The line that begins with `label: `, without it; the first one when there are several. */
const labelled = (lines: readonly Line[], label: string): Line | null => {
  const line = lines.find(({ text }) => text.startsWith(`${label}: `));
  return line === undefined ? null : { text: line.text.slice(label.length + 2), at: line.at };
};

const match = (line: Line | null, pattern: RegExp): RegExpExecArray | null =>
  line === null ? null : pattern.exec(line.text);

const statesOf = (text: string): Record<string, number> =>
  Object.fromEntries([...text.matchAll(/ (\S) (\d+)/g)].map(([, letter, times]) => [letter ?? '?', Number(times)]));

const openThread = (tid: number, header: RegExpExecArray, at: number): OpenThread => ({
  tid,
  // The script writes names between quotes, in which a quote is `\"`.
  comm: (header[1] ?? '').replace(/\\"/g, '"'),
  samples: Number(header[2]),
  states: statesOf(header[3] ?? ''),
  userSeconds: Math.max(0, numberOr(header[4], 0)),
  systemSeconds: Math.max(0, numberOr(header[5], 0)),
  voluntarySwitches: count(header[6]),
  involuntarySwitches: count(header[7]),
  syscalls: [],
  wchans: [],
  kernelStack: [],
  at,
});

/** Adds what one more line says of a thread; false when it says nothing that is known. */
const addTo = (thread: OpenThread, { text, at }: Line): boolean => {
  const stack = /^ kernel stack: (.+)$/.exec(text)?.[1];
  if (stack !== undefined) {
    thread.kernelStack = stack.split(' < ');
    return true;
  }
  const wait = /^ waits in (.+) (\d{1,9}) times$/.exec(text);
  if (wait !== null) {
    thread.wchans.push({ name: wait[1] ?? '', count: Number(wait[2]) });
    return true;
  }
  const lock =
    /^ stands at a lock of (libc|arena), and blocks signals that it handles: (none|\d{1,2}(?: \d{1,2})*)$/.exec(text);
  if (lock !== null) {
    const blocked = (lock[2] ?? '').split(' ').flatMap((word) => (word === 'none' ? [] : [Number(word)]));
    thread.ownLock = { of: lock[1] === 'arena' ? 'arena' : 'libc', blocked, at };
    return true;
  }
  const mutex =
    /^ waits for the lock at (0x[0-9a-f]{1,16}), which thread (\d{1,9}) has, and blocks signals that it handles: (none|\d{1,2}(?: \d{1,2})*)$/.exec(
      text,
    );
  if (mutex !== null) {
    const blocked = (mutex[3] ?? '').split(' ').flatMap((word) => (word === 'none' ? [] : [Number(word)]));
    thread.mutex = { address: mutex[1] ?? '', ownerTid: Number(mutex[2]), blocked, at };
    return true;
  }
  const outside = /^ in (no|an unreadable) system call (\d{1,9}) times$/.exec(text);
  if (outside !== null) {
    const name = outside[1] === 'no' ? 'running' : '?';
    thread.syscalls.push({ name, count: Number(outside[2]), args: [], fd: null, at });
    return true;
  }
  const call = /^ in ([a-z0-9_]+) (\d{1,9}) times, last [a-z0-9_]+\(([0-9a-fx, ]*)\)(?: on (.+))?$/.exec(text);
  if (call === null) return false;
  const [, name = '?', times, args = '', fd] = call;
  const words = args.split(', ').filter((word) => word !== '');
  thread.syscalls.push({ name, count: Number(times), args: words, fd: fd ?? null, at });
  return true;
};

const threadsOf = (lines: readonly Line[]): OpenThread[] => {
  const threads = new Map<number, OpenThread>();
  for (const { text, at } of lines) {
    const start = /^thread (\d{1,9})(?:(: )|(?= ))/.exec(text);
    if (start === null) continue;
    const tid = Number(start[1]);
    const rest = text.slice(start[0].length);
    const known = threads.get(tid);
    const header = start[2] === undefined ? null : HEADER.exec(rest);
    if (header !== null && known === undefined) threads.set(tid, openThread(tid, header, at));
    else if (start[2] === undefined && known !== undefined) addTo(known, { text: rest, at });
  }
  return [...threads.values()];
};

const processOf = (lines: readonly Line[]): Process | null => {
  const line = labelled(lines, 'process');
  const main = match(line, /^user (-?\d+\.\d+) s, system (-?\d+\.\d+) s, minor faults (-?\d+), major faults (-?\d+)$/);
  if (line === null || main === null) return null;
  const memory = labelled(lines, 'memory');
  const rss = match(memory, /^resident (\d+) kB first, (\d+) kB last, (\d+) kB least, (\d+) kB most$/);
  const swap = match(labelled(lines, 'swap'), /^(\d+) kB first, (\d+) kB last$/);
  const io = match(
    labelled(lines, 'io'),
    /^rchar (\d+), wchar (\d+), syscr (\d+), syscw (\d+), read_bytes (\d+), write_bytes (\d+)$/,
  );
  const fds = match(labelled(lines, 'descriptors'), /^(\d{1,9}) first, (\d{1,9}) last$/);
  const [first = 0, last = 0, min = 0, max = 0] = (rss ?? []).slice(1).map((text) => numberOr(text, 0));
  return {
    userSeconds: Math.max(0, numberOr(main[1], 0)),
    systemSeconds: Math.max(0, numberOr(main[2], 0)),
    rssKib: { first, last, min, max, at: memory?.at ?? line.at },
    swapKib: { first: numberOr(swap?.[1], 0), last: numberOr(swap?.[2], 0) },
    minorFaults: numberOr(main[3], 0),
    majorFaults: numberOr(main[4], 0),
    io:
      io === null
        ? null
        : {
            rchar: numberOr(io[1], 0),
            wchar: numberOr(io[2], 0),
            syscr: numberOr(io[3], 0),
            syscw: numberOr(io[4], 0),
            readBytes: numberOr(io[5], 0),
            writeBytes: numberOr(io[6], 0),
          },
    fds: fds === null ? null : { first: Number(fds[1]), last: Number(fds[2]) },
    at: line.at,
  };
};

const throttledOf = (lines: readonly Line[]): SampleData['throttled'] => {
  const line = labelled(lines, 'throttled');
  const parts = match(line, /^(-?\d+) periods, (-?\d+) throttled, (-?\d+\.\d+) s, /);
  if (line === null || parts === null) return null;
  const [periods = 0, throttledPeriods = 0, seconds = 0] = parts.slice(1).map((text) => numberOr(text, 0));
  return { periods, throttledPeriods, seconds, at: line.at };
};

/** What the script says it could not see, or saw happen, as sentences. */
const gapsOf = (lines: readonly Line[], notSampled: number): string[] => {
  const gaps: string[] = [];
  for (const { text } of lines) {
    const known = /^(not readable|ended|changed|cut): (.+)$/.exec(text);
    if (known === null) continue;
    const [, kind, what = ''] = known;
    gaps.push(kind === 'not readable' ? `not readable: ${what}` : what);
  }
  if (notSampled > 0) gaps.push(`${notSampled} threads beyond the limit were not looked at`);
  if (lines.findLast(({ text }) => text !== '')?.text !== 'end') gaps.push('the list of threads breaks off');
  return gaps;
};

/** Reads what sample.py or sample.sh prints. Never throws; what is missing is said in `partly`. */
export const parseSample = (text: string, pid: number): Parsed<SampleData> => {
  const lines = text.split('\n').map((line, index) => ({ text: line, at: index + 1 }));
  const gone = labelled(lines, 'gone');
  if (gone !== null) return { ok: false, reason: 'target-gone', why: gone.text || `there is no process ${pid}` };
  const window = match(
    labelled(lines, 'window'),
    /^(\d+\.\d+) s, (\d{1,9}) samples, (\d{1,9}) ticks per second, watching took (?:\d+\.\d+|\?) s of CPU$/,
  );
  const counts = match(
    labelled(lines, 'threads'),
    /^(\d{1,9}) sampled, (\d{1,9}) not sampled, (\d{1,9}) started, (\d{1,9}) ended$/,
  );
  const process = processOf(lines);
  if (window === null || process === null || counts === null)
    return { ok: false, reason: 'not-parsable', why: 'the sampler printed no summary of its window' };
  const threads = threadsOf(lines);
  const ended = labelled(lines, 'ended');
  if (threads.length === 0 && ended !== null)
    return { ok: false, reason: 'target-gone', why: `${ended.text}, before a thread could be looked at` };
  const threadsNotSampled = Number(counts[2]);
  const data: SampleData = {
    seconds: numberOr(window[1], 0),
    samples: Number(window[2]),
    ticksPerSecond: Number(window[3]),
    threads,
    threadsNotSampled,
    threadsStarted: Number(counts[3]),
    threadsEnded: Number(counts[4]),
    ...(ended === null ? {} : { ended: true }),
    process,
    throttled: throttledOf(lines),
  };
  return { ok: true, data, partly: gapsOf(lines, threadsNotSampled) };
};
