import type { StraceData, SyscallRecord } from '../probes/strace.ts';
import { isAccept, isFutex, isReadiness, isReceive, isSend, splitArguments, tracedFd } from '../reading/syscalls.ts';

/** What a thread's system calls say about a thread that burns CPU. */
export type SyscallCourse =
  | { readonly kind: 'silent' }
  | { readonly kind: 'works'; readonly why: string }
  | { readonly kind: 'spins'; readonly spin: SyscallSpin }
  | { readonly kind: 'untold'; readonly why: string };

/** System calls that come back at once, again and again, and bring nothing. */
export interface SyscallSpin {
  readonly form: 'end-of-data' | 'not-ready' | 'ready-ignored' | 'not-waiting' | 'yielding' | 'failing' | 'repeating';
  readonly name: string;
  /** The descriptor that it is about, and what strace says that it is; null when it is about none. */
  readonly fd: number | null;
  readonly what: string | null;
  readonly errno: string | null;
  /** How many of the thread's traced calls are of this form, how many there were, and how many a second. */
  readonly count: number;
  readonly of: number;
  readonly perSecond: number;
  /** Some of the records, for quotes. */
  readonly examples: readonly SyscallRecord[];
}

/** The allocator's own calls: a block that is given back and taken again in each round says nothing about the round. */
const MEMORY = /^(mmap2?|munmap|mremap|brk|madvise|mprotect)$/;

const CALLS_LEAST = 40;
/** Calls a second below which repeating is a pace and not a spin. */
const RATE_LEAST = 200;

const returned = (call: SyscallRecord): number | null =>
  call.result !== null && /^-?\d+/.test(call.result) ? Number.parseInt(call.result, 10) : null;

/** Whether the call moved something: bytes, a connection, a child. */
const brings = (call: SyscallRecord): boolean => {
  const value = returned(call);
  if (value === null || value < 0) return false;
  if (isReceive(call.name) || isSend(call.name)) return value > 0;
  if (call.name === 'wait4' || call.name === 'getdents64') return value > 0;
  return isAccept(call.name) || /^(clone3?|v?fork|execve|connect|splice|copy_file_range|f(data)?sync)$/.test(call.name);
};

/** The calls of a thread that moved something: bytes, a connection, a child. */
export const bringing = (data: StraceData, tid: number): SyscallRecord[] =>
  data.detail.calls.filter((call) => call.tid === tid && brings(call));

/** What a thread says again and again: a log line, a line on its standard output. */
export interface Refrain {
  /** The descriptor that it writes to, as strace shows it, and one of the texts. */
  readonly to: string;
  readonly text: string;
  readonly count: number;
  readonly perSecond: number;
  readonly examples: readonly SyscallRecord[];
}

const REFRAIN_TEXTS = 8;

/** A text without the time of day in it, by which the lines of one log statement differ. */
const timeless = (text: string): string =>
  text.replace(/\d{4}-\d\d-\d\d|\d\d?:\d\d(:\d\d)?([.,]\d+)?|\b1[5-9]\d{8}(\.\d+)?\b/g, '');

/**
 * What the thread wrote, if that is all that it moved: few texts, over and over, to a file or its standard streams. Answers
 * on sockets are no such thing: somebody asked for each. Null when it moved anything else.
 */
export const refrainOf = (data: StraceData, tid: number): Refrain | null => {
  const calls = bringing(data, tid);
  const texts = new Map<string, number>();
  for (const call of calls) {
    const [to = '', text = ''] = splitArguments(call.args);
    if (!isSend(call.name) || (/^\d+<socket:/.test(to) && !/^[12]</.test(to))) return null;
    const said = `${to} ${timeless(text)}`;
    texts.set(said, (texts.get(said) ?? 0) + 1);
    if (texts.size > REFRAIN_TEXTS) return null;
  }
  const [first] = calls;
  if (first === undefined || calls.length < CALLS_LEAST || [...texts.values()].some((times) => times < 3)) return null;
  const [to = '', text = ''] = splitArguments(first.args);
  return {
    to,
    text,
    count: calls.length,
    perSecond: calls.length / Math.max(data.detail.seconds, 0.001),
    examples: calls.slice(0, 2),
  };
};

/** Whether it asked for no time at all to pass: a timeout of nothing. */
const waitsForNothing = (call: SyscallRecord): boolean => {
  const args = splitArguments(call.args);
  const none = (text: string | undefined) => text !== undefined && /^(0|\{tv_sec=0, tv_n?u?sec=0\})$/.test(text);
  if (call.name === 'sched_yield') return true;
  if (call.name === 'poll') return args[2] === '0';
  if (call.name === 'epoll_wait' || call.name === 'epoll_pwait') return args[3] === '0';
  if (call.name === 'select' || call.name === 'pselect6') return none(args[4]);
  if (call.name === 'ppoll') return none(args[2]);
  if (call.name === 'nanosleep') return none(args[0]);
  if (call.name === 'clock_nanosleep') return none(args[2]);
  return false;
};

const asksForNothing = (call: SyscallRecord): boolean => splitArguments(call.args)[2] === '0';

/** Arguments without what strace says that descriptors are: a socket that is made anew has another inode. */
const withoutNames = (args: string): string => args.replace(/\b\d+<[^<>]*>/g, '').replace(/<[^<>]*>/g, '');

const largest = (
  calls: readonly SyscallRecord[],
  form: SyscallSpin['form'],
): { call: SyscallRecord; same: SyscallRecord[] } | null => {
  const groups = new Map<string, SyscallRecord[]>();
  for (const call of calls) {
    // The same thing must fail again and again: a search that misses in many places is none.
    const what = form === 'failing' || form === 'repeating' ? withoutNames(call.args) : (tracedFd(call.args) ?? '');
    const key = `${call.name} ${what} ${call.errno ?? ''}`;
    groups.set(key, [...(groups.get(key) ?? []), call]);
  }
  const best = [...groups.values()].sort((a, b) => b.length - a.length)[0];
  return best?.[0] === undefined ? null : { call: best[0], same: best };
};

const describe = (call: SyscallRecord): { fd: number | null; what: string | null } => ({
  // The first number of these is a process.
  fd: /^(wait4|waitid|t?g?kill|sched_\w+|prlimit64)$/.test(call.name) ? null : tracedFd(call.args),
  what: /^\d+<(.*)>$/.exec(splitArguments(call.args)[0] ?? '')?.[1] ?? null,
});

const rules: readonly {
  readonly form: SyscallSpin['form'];
  /** Share of the thread's calls that must be of this form. */
  readonly share: number;
  readonly fits: (call: SyscallRecord) => boolean;
}[] = [
  {
    form: 'end-of-data',
    share: 0.3,
    fits: (call) => isReceive(call.name) && returned(call) === 0 && !asksForNothing(call),
  },
  {
    form: 'not-ready',
    share: 0.3,
    fits: (call) =>
      (call.errno === 'EAGAIN' || call.errno === 'EWOULDBLOCK') &&
      (isReceive(call.name) || isSend(call.name) || isAccept(call.name)),
  },
  { form: 'yielding', share: 0.6, fits: (call) => waitsForNothing(call) && !isReadiness(call.name) },
  {
    form: 'not-waiting',
    share: 0.6,
    fits: (call) => isReadiness(call.name) && returned(call) === 0 && waitsForNothing(call),
  },
  { form: 'ready-ignored', share: 0.45, fits: (call) => isReadiness(call.name) && (returned(call) ?? 0) > 0 },
  {
    form: 'failing',
    share: 0.3,
    fits: (call) => call.errno !== null && !/^(EAGAIN|EINTR|ERESTART\w*|EINPROGRESS)$/.test(call.errno),
  },
  // The same question and the same answer, again and again: whether a file is there, whether a child has ended.
  { form: 'repeating', share: 0.8, fits: (call) => returned(call) !== null && !isReadiness(call.name) },
];

/** Whether nearly all calls are a handful of the same ones, with the same answers. */
const sameAnswers = (calls: readonly SyscallRecord[]): boolean => {
  const counts = new Map<string, number>();
  for (const call of calls) {
    const key = `${call.name} ${withoutNames(call.args)} ${call.result ?? ''}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const often = [...counts.values()].sort((a, b) => b - a).slice(0, 4);
  return often.reduce((sum, each) => sum + each, 0) >= 0.95 * calls.length;
};

/** Decides what the traced calls of one thread that burns CPU are for. Pure. */
export const syscallCourse = (data: StraceData, tid: number): SyscallCourse => {
  const all = data.detail.calls.filter((call) => call.tid === tid);
  const calls = all.filter((call) => !isFutex(call.name) && !MEMORY.test(call.name));
  if (calls.length === 0) {
    if (data.attached.length > 0 && !data.attached.includes(tid)) {
      return { kind: 'untold', why: `strace was not attached to thread ${tid}` };
    }
    return all.some((call) => MEMORY.test(call.name))
      ? { kind: 'untold', why: 'its system calls only take memory and give it back' }
      : { kind: 'silent' };
  }
  const times = calls.map((call) => call.time);
  // A trace that was cut covers only the time until its last line, and a thread may have made all its calls in a part of it.
  const span = Math.max(data.detail.cut ? Math.max(...times) - Math.min(...times) : data.detail.seconds, 0.001);
  const perSecond = calls.length / span;
  const useful = calls.filter(brings).length;
  if (calls.length < CALLS_LEAST || perSecond < RATE_LEAST) {
    return {
      kind: 'untold',
      why: `it makes ${Math.round(perSecond)} system calls a second, too few to be what keeps it busy`,
    };
  }
  if (useful >= 0.05 * calls.length) {
    return { kind: 'works', why: `${useful} of its ${calls.length} traced system calls moved data or did other work` };
  }
  for (const rule of rules) {
    const fitting = calls.filter(rule.fits);
    if (fitting.length < rule.share * calls.length) continue;
    const best = largest(fitting, rule.form);
    if (best === null || best.same.length < 20) continue;
    if (rule.form === 'repeating' && !sameAnswers(calls)) continue;
    return {
      kind: 'spins',
      spin: {
        form: rule.form,
        name: best.call.name,
        ...describe(best.call),
        errno: best.call.errno,
        count: fitting.length,
        of: calls.length,
        perSecond: fitting.length / span,
        examples: best.same.slice(0, 3),
      },
    };
  }
  const names = [...new Set(calls.map((call) => call.name))].slice(0, 4).join(', ');
  // Asking about ever other things (a walk through folders, files that are opened in turn) goes onward.
  const asked = calls.filter((call) => call.args.includes('"') && call.errno === null);
  const different = new Set(asked.map((call) => `${call.name} ${withoutNames(call.args)}`)).size;
  if (different >= 20 && different >= 0.1 * calls.length) {
    return { kind: 'works', why: `its system calls (${names}) ask about ever other things, ${different} in all` };
  }
  return { kind: 'untold', why: `its system calls (${names}) come back at once, and hardly any moves data` };
};
