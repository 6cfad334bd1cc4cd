import type { FileLock, LocksData } from '../probes/locks.ts';
import type { SampledThread } from '../probes/sample.ts';
import type { StraceData, SyscallRecord } from '../probes/strace.ts';
import { intArgument, sampledCalls, splitArguments, tracedFd } from './syscalls.ts';

/** Who wants, gets and holds locks on files, from samples, traces and /proc/locks. */

/** `flock`: flock(2). `record`: fcntl(2). `file`: the lock is a file, folder or link that must not exist yet. */
export type LockKind = 'flock' | 'record' | 'file';

/** Bytes of the octal, hexadecimal and C escapes by which strace and our scripts write what cannot be printed. */
const ESCAPES = /\\([0-7]{1,3}|x[0-9a-fA-F]{2}|.)/gsu;
const CONTROL: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, v: 11, f: 12, a: 7, b: 8 };
const decoder = new TextDecoder('utf-8', { fatal: false });
const encoder = new TextEncoder();

/** A path in one form, whichever tool printed it: escapes undone, the mark of a deleted file off. */
export const pathKey = (path: string): string => {
  const bytes: number[] = [];
  let last = 0;
  for (const match of path.matchAll(ESCAPES)) {
    bytes.push(...encoder.encode(path.slice(last, match.index)));
    const code = match[1] ?? '';
    if (/^[0-7]/.test(code)) bytes.push(Number.parseInt(code, 8) & 0xff);
    else if (/^x../.test(code)) bytes.push(Number.parseInt(code.slice(1), 16));
    else bytes.push(...(CONTROL[code] === undefined ? encoder.encode(code) : [CONTROL[code]]));
    last = match.index + match[0].length;
  }
  bytes.push(...encoder.encode(path.slice(last)));
  return decoder.decode(new Uint8Array(bytes)).replace(/ ?\(deleted\)$/, '');
};

/** One attempt to get a lock, as traced. */
export interface LockAttempt {
  readonly tid: number;
  readonly kind: LockKind;
  /** The file; null when the trace shows only a descriptor's number and nothing else knows it. */
  readonly path: string | null;
  readonly fd: number | null;
  /** What a record lock is about, `F_WRLCK 1073741825+1`: to read or write, first byte, length; null for other kinds. */
  readonly range: string | null;
  /** `refused`: another has it. `waiting`: the call had not returned. `taken`: got it. */
  readonly outcome: 'refused' | 'waiting' | 'taken';
  readonly time: number;
  readonly call: SyscallRecord;
}

const PATH_CALLS: Readonly<Record<string, number>> = {
  open: 0,
  creat: 0,
  openat: 1,
  mkdir: 0,
  mkdirat: 1,
  link: 1,
  linkat: 3,
  symlink: 1,
  symlinkat: 2,
};

/** Of a call that makes something which must not exist yet: the path that it makes. */
const madePath = (call: SyscallRecord, parts: readonly string[]): string | null => {
  const where = PATH_CALLS[call.name];
  if (where === undefined) return null;
  if (/^(open|openat|creat)$/.test(call.name) && !/\bO_EXCL\b/.test(call.args)) return null;
  const quoted = /^"((?:[^"\\]|\\.)*)"$/s.exec(parts[where] ?? '')?.[1];
  if (quoted === undefined) return null;
  const folder = /<(\/.*)>$/s.exec(parts[where - 1] ?? '')?.[1];
  return quoted.startsWith('/') || folder === undefined ? pathKey(quoted) : pathKey(`${folder}/${quoted}`);
};

const fdPath = (parts: readonly string[]): string | null => {
  const path = /^\d+<(\/.*)>(?:\(deleted\))?$/s.exec(parts[0] ?? '')?.[1];
  return path === undefined ? null : pathKey(path);
};

const lockOutcome = (call: SyscallRecord): LockAttempt['outcome'] | null => {
  if (call.result === '0') return 'taken';
  if (call.errno === 'EAGAIN' || call.errno === 'EWOULDBLOCK' || call.errno === 'EACCES') return 'refused';
  // Interrupted by a signal, or not returned: it waited.
  if (call.result === null || call.errno === 'EINTR' || call.errno?.startsWith('ERESTART')) return 'waiting';
  return null;
};

/** What a traced fcntl is about (strace writes struct flock by its fields); null when they are not shown. */
const rangeOf = (args: string): string | null => {
  const match = /\bl_type=(F_\w+).*\bl_start=(-?\d{1,19}), l_len=(-?\d{1,19})/.exec(args);
  return match === null ? null : `${match[1]} ${match[2]}+${match[3]}`;
};

const attemptOf = (call: SyscallRecord): LockAttempt | null => {
  const parts = splitArguments(call.args);
  const common = { tid: call.tid, time: call.time, call };
  if (call.name === 'flock' || call.name === 'fcntl' || call.name === 'fcntl64') {
    const wants =
      call.name === 'flock' ? !/LOCK_UN/.test(parts[1] ?? '') : /^F_(OFD_)?SETLKW?(64)?$/.test(parts[1] ?? '');
    const outcome = wants && !/F_UNLCK/.test(call.args) ? lockOutcome(call) : null;
    if (outcome === null) return null;
    return {
      ...common,
      kind: call.name === 'flock' ? 'flock' : 'record',
      path: fdPath(parts),
      fd: tracedFd(call.args),
      range: call.name === 'flock' ? null : rangeOf(call.args),
      outcome,
    };
  }
  const path = madePath(call, parts);
  if (path === null) return null;
  const outcome = call.errno === 'EEXIST' ? 'refused' : call.result !== null && call.result !== '-1' ? 'taken' : null;
  return outcome === null ? null : { ...common, kind: 'file', path, fd: null, range: null, outcome };
};

/** All attempts of one thread at one lock: a file, or the same bytes of a file for the same use. */
export interface Pursuit {
  readonly tid: number;
  readonly kind: LockKind;
  readonly path: string | null;
  readonly fd: number | null;
  readonly refused: readonly LockAttempt[];
  readonly waiting: readonly LockAttempt[];
  readonly taken: readonly LockAttempt[];
}

/** The traced attempts to lock files, by thread and file, the one with most refusals first. */
export const pursuits = (data: StraceData): Pursuit[] => {
  const groups = new Map<string, LockAttempt[]>();
  for (const call of data.detail.calls) {
    const attempt = attemptOf(call);
    if (attempt === null) continue;
    const key = `${attempt.tid} ${attempt.kind} ${attempt.range ?? ''} ${attempt.path ?? `fd ${attempt.fd}`}`;
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [attempt]);
    else known.push(attempt);
  }
  const having = (group: readonly LockAttempt[], outcome: LockAttempt['outcome']) =>
    group.filter((attempt) => attempt.outcome === outcome);
  return [...groups.values()]
    .map((group): Pursuit => {
      const [first] = group as [LockAttempt, ...LockAttempt[]];
      const { tid, kind, path, fd } = first;
      const [refused, waiting, taken] = [having(group, 'refused'), having(group, 'waiting'), having(group, 'taken')];
      return { tid, kind, path, fd, refused, waiting, taken };
    })
    .sort((a, b) => b.refused.length - a.refused.length);
};

/** A sampled thread that is in a call which blocks until a file lock is free. */
export interface BlockedInLock {
  readonly tid: number;
  readonly kind: Exclude<LockKind, 'file'>;
  readonly path: string | null;
  readonly fd: number | null;
  /** Share of the samples, 0 to 1. */
  readonly share: number;
  readonly at: number;
}

/** Commands of fcntl(2) that wait: F_SETLKW, F_SETLKW64 and F_OFD_SETLKW (asm-generic/fcntl.h). */
const WAITING_COMMANDS = new Set([7, 14, 38]);

/** The lock call in which a thread was seen waiting, or null. A file name of the host's, made comparable. */
export const blockedInLock = (thread: SampledThread): BlockedInLock | null => {
  const call = sampledCalls(thread).find(
    ({ name, args }) =>
      name === 'flock' || (/^fcntl(64)?$/.test(name) && WAITING_COMMANDS.has(intArgument(args, 1) ?? -1)),
  );
  if (call === undefined) return null;
  return {
    tid: thread.tid,
    kind: call.name === 'flock' ? 'flock' : 'record',
    path: call.fd === null ? null : pathKey(call.fd),
    fd: call.fdNumber,
    share: call.share,
    at: call.at,
  };
};

/** Whether a lock of /proc/locks is of the kind that these attempts are after. */
const sameKind = (lock: FileLock, kind: LockKind): boolean =>
  kind === 'flock' ? lock.kind === 'FLOCK' : kind === 'record' && (lock.kind === 'POSIX' || lock.kind === 'OFDLCK');

/** The entries of /proc/locks for one file: by its path, or by a descriptor that the target has open on it. */
export const locksOn = (
  data: LocksData,
  lock: { readonly kind: LockKind; readonly path: string | null; readonly fd: number | null },
): FileLock[] => {
  const kin = data.locks.filter((each) => sameKind(each, lock.kind));
  const byPath = kin.filter((each) => lock.path !== null && each.path !== null && pathKey(each.path) === lock.path);
  const inodes = new Set(byPath.map((each) => each.inode));
  if (byPath.length === 0 && lock.fd !== null) {
    for (const each of kin) if (each.targetFds.includes(lock.fd)) inodes.add(each.inode);
  }
  return kin.filter((each) => inodes.has(each.inode));
};

/** Those that hold the lock, and those that wait for it, each process once. */
export const sides = (entries: readonly FileLock[]): { holders: FileLock[]; waiters: FileLock[] } => {
  const once = (list: FileLock[]) =>
    list.filter((lock, index) => list.findIndex((each) => each.pid === lock.pid) === index);
  return {
    holders: once(entries.filter((lock) => !lock.waiting)),
    waiters: once(entries.filter((lock) => lock.waiting)),
  };
};
