import type { SampledThread } from '../probes/sample.ts';

/** What sampled and traced system calls mean. Argument orders are those of the man pages, section 2. */

/** Calls that wait for descriptors to become ready: which argument holds the timeout and how. */
const READINESS: Readonly<Record<string, { argument: number; kind: 'milliseconds' | 'pointer' }>> = {
  poll: { argument: 2, kind: 'milliseconds' },
  epoll_wait: { argument: 3, kind: 'milliseconds' },
  epoll_pwait: { argument: 3, kind: 'milliseconds' },
  ppoll: { argument: 2, kind: 'pointer' },
  select: { argument: 4, kind: 'pointer' },
  pselect6: { argument: 4, kind: 'pointer' },
  epoll_pwait2: { argument: 3, kind: 'pointer' },
};

const RECEIVES = new Set(['recvfrom', 'recvmsg', 'recvmmsg', 'read', 'readv']);
const SENDS = new Set(['sendto', 'sendmsg', 'sendmmsg', 'write', 'writev', 'sendfile']);
const FUTEXES = new Set(['futex', 'futex_waitv', 'futex_time64']);
const SLEEPS = new Set(['nanosleep', 'clock_nanosleep', 'pause', 'rt_sigsuspend', 'rt_sigtimedwait', 'sigtimedwait']);
const CHILD_WAITS = new Set(['wait4', 'waitid', 'waitpid']);

/** poll, select and epoll in all their spellings. */
export const isReadiness = (name: string): boolean => name in READINESS;
/** Calls that take bytes from a descriptor. */
export const isReceive = (name: string): boolean => RECEIVES.has(name);
/** Calls that give bytes to a descriptor. */
export const isSend = (name: string): boolean => SENDS.has(name);
/** Waits for a lock, a condition or another thread. */
export const isFutex = (name: string): boolean => FUTEXES.has(name);
/** Waits for time to pass or for a signal. */
export const isSleep = (name: string): boolean => SLEEPS.has(name);
/** Waits for a child process. */
export const isChildWait = (name: string): boolean => CHILD_WAITS.has(name);
/** Waits for a client of a listening socket. */
export const isAccept = (name: string): boolean => name === 'accept' || name === 'accept4';

/** A sampled argument register as a signed 32-bit number, which is what `int` arguments are; null when not readable. */
export const intArgument = (args: readonly string[], index: number): number | null => {
  const text = args[index];
  if (text === undefined || !/^(0x)?[0-9a-f]{1,16}$/i.test(text)) return null;
  return Number(BigInt.asIntN(32, BigInt(text.startsWith('0x') ? text : `0x${text}`)));
};

/**
 * How long a sampled readiness call may wait: `none` without a timeout, `now` when it must not wait, `some` with one;
 * null when it is no such call or its registers could not be read.
 */
export const waitLimit = (name: string, args: readonly string[]): 'none' | 'now' | 'some' | null => {
  const where = READINESS[name];
  if (where === undefined) return null;
  if (where.kind === 'pointer') {
    const text = args[where.argument];
    if (text === undefined || !/^(0x)?[0-9a-f]{1,16}$/i.test(text)) return null;
    return /^(0x)?0+$/i.test(text) ? 'none' : 'some';
  }
  const milliseconds = intArgument(args, where.argument);
  if (milliseconds === null) return null;
  return milliseconds < 0 ? 'none' : milliseconds === 0 ? 'now' : 'some';
};

/** One kind of system call of a thread and its share of the thread's samples, 0 to 1. */
export interface SampledCall {
  readonly name: string;
  readonly share: number;
  readonly args: readonly string[];
  readonly fd: string | null;
  /** First argument as a descriptor number; null when it could not be read. */
  readonly fdNumber: number | null;
  readonly at: number;
}

/** The system calls that the thread was seen in, most often first, without `running` and what could not be read. */
export const sampledCalls = (thread: SampledThread): SampledCall[] =>
  thread.syscalls
    .filter((call) => call.name !== 'running' && call.name !== '?')
    .map((call) => ({
      name: call.name,
      share: thread.samples === 0 ? 0 : call.count / thread.samples,
      args: call.args,
      fd: call.fd,
      fdNumber: intArgument(call.args, 0),
      at: call.at,
    }));

/** Share of the samples in which the thread was in no system call. */
export const runningShare = (thread: SampledThread): number =>
  thread.samples === 0 ? 0 : (thread.syscalls.find((call) => call.name === 'running')?.count ?? 0) / thread.samples;

/** Share of the samples in which the thread's system call could not be read, which needs root or its owner. */
export const unreadableShare = (thread: SampledThread): number =>
  thread.samples === 0 ? 0 : (thread.syscalls.find((call) => call.name === '?')?.count ?? 0) / thread.samples;

/** CPU time over wall time in the window, 0 to 1 for one thread. */
export const cpuShare = (thread: SampledThread, windowSeconds: number): number =>
  windowSeconds <= 0 ? 0 : (thread.userSeconds + thread.systemSeconds) / windowSeconds;

/** Share of samples in one of these state letters. */
export const stateShare = (thread: SampledThread, letters: string): number =>
  thread.samples === 0
    ? 0
    : Object.entries(thread.states).reduce((sum, [letter, times]) => sum + (letters.includes(letter) ? times : 0), 0) /
      thread.samples;

/** The inode of a descriptor's target `socket:[123]`; null for anything else. */
export const socketInode = (target: string | null): string | null =>
  /^socket:\[(\d+)\]$/.exec(target ?? '')?.[1] ?? null;

/** strace's argument text split at its outermost commas; strings, structures and annotations stay whole. */
export const splitArguments = (text: string): string[] => {
  const parts: string[] = [];
  let depth = 0;
  let quoted = false;
  let current = '';
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (quoted) {
      if (character === '\\') {
        current += character + text.charAt(index + 1);
        index += 1;
        continue;
      }
      if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if ('([{'.includes(character)) depth += 1;
    else if (')]}'.includes(character)) depth -= 1;
    else if (character === ',' && depth <= 0) {
      parts.push(current.trim());
      current = '';
      continue;
    }
    current += character;
  }
  if (current.trim() !== '') parts.push(current.trim());
  return parts;
};

/** The descriptor that a traced call's first argument names: `7<socket:[123]>` gives 7; null when it is none. */
export const tracedFd = (args: string): number | null => {
  const match = /^(\d+)(?:<|$|,|\s)/.exec(splitArguments(args)[0] ?? '');
  return match?.[1] === undefined ? null : Number(match[1]);
};
