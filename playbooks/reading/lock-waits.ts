import type { Look } from '../model/index.ts';
import { hostLocks } from '../probes/host-locks.ts';
import { type FileLock, locks } from '../probes/locks.ts';
import { sample } from '../probes/sample.ts';
import { strace } from '../probes/strace.ts';
import { blockedInLock, type LockKind, locksOn, type Pursuit, pursuits, sides } from './locks.ts';
import { isSleep } from './syscalls.ts';

/** A line of some evidence, for a quote. */
export interface EvidenceLine {
  readonly evidenceId: string;
  readonly at: number;
}

/** A thread that wants a file lock and was not once seen to get it. */
export interface FileWait {
  readonly tid: number;
  readonly kind: LockKind;
  readonly path: string | null;
  /** `blocked` in a call that returns when the lock is free, or `polled`: tried again and again. */
  readonly how: 'blocked' | 'polled';
  /**
   * Whether it waited for one and the same holder. `unknown`: it was in the call at every look, but was woken in between;
   * a trace would tell whether by signals. `no`: by none, so the lock was handed on meanwhile (the kernel wakes all who
   * wait for a lock when its holder gives it back, fs/locks.c).
   */
  readonly stuck: 'yes' | 'unknown' | 'no';
  /** How often it was refused in the trace, and the seconds between; 0 and null without a trace. */
  readonly refusals: number;
  readonly everySeconds: number | null;
  /** Lines that show it wanting the lock, best first. */
  readonly lines: readonly EvidenceLine[];
  /** Who holds and who waits for it, as far as /proc/locks says; empty for locks that the kernel does not know. */
  readonly holders: readonly LockLine[];
  readonly waiters: readonly LockLine[];
  /**
   * What a second look at the locks, seconds after the first, showed: still held by the same processes, or not.
   * Null when there was only one look.
   */
  readonly later: 'same' | 'moved' | null;
}

/** An entry of /proc/locks and the evidence that it is from. */
export type LockLine = FileLock & EvidenceLine;

/** Times that a lock call must be refused to count as polling; making a file can fail for more reasons. */
const REFUSALS: Readonly<Record<LockKind, number>> = { flock: 2, record: 2, file: 3 };

/** Samples that a thread must spend in the blocking call. */
const BLOCKED_SHARE = 0.9;

/** Thread ids of the target, as far as they were sampled: a trace also follows children that are forked meanwhile. */
export const ownThreads = (look: Look): ReadonlySet<number> => {
  const sampled = look.see(sample);
  return new Set([look.target.pid, ...(sampled.seen ? sampled.data.threads.map((thread) => thread.tid) : [])]);
};

/**
 * How often a thread woke in the window; null when it was not sampled. One that waits for a lock in vain does not wake, one
 * that queues for a busy lock wakes for each turn. Signals wake the main thread too.
 */
export const wakes = (look: Look, tid: number | null): number | null => {
  const sampled = look.see(sample);
  return (sampled.seen ? sampled.data.threads.find((thread) => thread.tid === tid)?.voluntarySwitches : null) ?? null;
};

/** Wakes in the window that a thread may have and still be said to have waited throughout. */
export const FEW_WAKES = 2;

const pause = (pursuit: Pursuit): number | null => {
  const times = pursuit.refused.map((attempt) => attempt.time);
  const [first] = times;
  const last = times[times.length - 1];
  return first === undefined || last === undefined || times.length < 2 ? null : (last - first) / (times.length - 1);
};

/** Whether the thread slept between its attempts and did not go on with other work in spite of the refusals. */
const sleepsBetween = (look: Look, pursuit: Pursuit): boolean => {
  const traced = look.see(strace);
  if (!traced.seen) return false;
  const own = traced.data.detail.calls.filter((call) => call.tid === pursuit.tid);
  const naps = own.filter(
    (call) => isSleep(call.name) || /^(p?select6?|p?poll|futex|restart_syscall)$/.test(call.name),
  );
  return naps.length >= pursuit.refused.length - 1;
};

/** Both sides of a lock: by the target's own files, else by all locks of the host. */
const sidesOf = (
  look: Look,
  lock: { readonly kind: LockKind; readonly path: string | null; readonly fd: number | null },
): { holders: LockLine[]; waiters: LockLine[] } => {
  for (const probe of [locks, hostLocks]) {
    const seen = look.see(probe);
    if (!seen.seen) continue;
    const { holders, waiters } = sides(locksOn(seen.data, lock));
    const from = (each: FileLock): LockLine => ({ ...each, evidenceId: seen.evidenceId });
    if (holders.length > 0) return { holders: holders.map(from), waiters: waiters.map(from) };
  }
  return { holders: [], waiters: [] };
};

/** Compares the two looks at a lock that were taken before and after the window. */
const laterOf = (
  look: Look,
  lock: { readonly kind: LockKind; readonly path: string | null; readonly fd: number | null },
) => {
  const [first, second] = [look.see(locks), look.see(hostLocks)];
  if (!first.seen || !second.seen) return null;
  // What the process itself holds for a moment between its attempts says nothing of who is in its way.
  const before = sides(locksOn(first.data, lock))
    .holders.map((each) => each.pid)
    .filter((pid) => pid !== look.target.pid);
  if (before.length === 0) return null;
  const inodes = new Set(locksOn(first.data, lock).map((each) => each.inode));
  const after = sides(second.data.locks.filter((each) => inodes.has(each.inode))).holders;
  if (before.every((pid) => after.some((each) => each.pid === pid))) return 'same';
  // Who only inherited a lock may go by the pid of one that is gone.
  return after.some((each) => each.state === null) ? null : 'moved';
};

const blockedWaits = (look: Look, traced: readonly Pursuit[] | null): FileWait[] => {
  const sampled = look.see(sample);
  const trace = look.see(strace);
  if (!sampled.seen) return [];
  return sampled.data.threads.flatMap((thread): FileWait[] => {
    const call = blockedInLock(thread);
    if (call === null || call.share < BLOCKED_SHARE || thread.samples < 4) return [];
    const seen = traced?.filter((each) => each.tid === thread.tid && each.kind === call.kind) ?? null;
    if (seen?.some((each) => each.taken.length > 0)) return [];
    const signalled =
      trace.seen &&
      trace.data.detail.signals.some((signal) => signal.tid === thread.tid && signal.signal !== 'SIGSTOP');
    const stuck = thread.voluntarySwitches === 0 || signalled ? 'yes' : trace.seen ? 'no' : 'unknown';
    const { holders, waiters } = sidesOf(look, call);
    const own = waiters.find((lock) => lock.pid === look.target.pid);
    const lines: EvidenceLine[] = [{ evidenceId: sampled.evidenceId, at: call.at }];
    if (own !== undefined) lines.push(own);
    return [
      {
        tid: thread.tid,
        kind: call.kind,
        path: call.path ?? [...holders, ...waiters].find((lock) => lock.path !== null)?.path ?? null,
        how: 'blocked',
        stuck,
        refusals: 0,
        everySeconds: null,
        lines,
        holders,
        waiters,
        later: laterOf(look, call),
      },
    ];
  });
};

const polledWaits = (look: Look, traced: readonly Pursuit[]): FileWait[] => {
  const seen = look.see(strace);
  if (!seen.seen) return [];
  return traced.flatMap((pursuit): FileWait[] => {
    if (pursuit.taken.length > 0 || pursuit.refused.length < REFUSALS[pursuit.kind]) return [];
    if (pursuit.kind === 'file' && !sleepsBetween(look, pursuit)) return [];
    const { holders, waiters } = sidesOf(look, pursuit);
    return [
      {
        tid: pursuit.tid,
        kind: pursuit.kind,
        path: pursuit.path,
        how: 'polled',
        stuck: 'yes',
        refusals: pursuit.refused.length,
        everySeconds: pause(pursuit),
        lines: pursuit.refused.slice(0, 2).map((attempt) => ({ evidenceId: seen.evidenceId, at: attempt.call.at })),
        holders,
        waiters,
        later: laterOf(look, pursuit),
      },
    ];
  });
};

/** The threads that waited for a file lock the whole time, blocked ones first. */
export const fileWaits = (look: Look): FileWait[] => {
  const traced = look.see(strace);
  const own = ownThreads(look);
  const seen = traced.seen ? pursuits(traced.data).filter((each) => own.has(each.tid)) : null;
  return [...blockedWaits(look, seen), ...polledWaits(look, seen ?? [])];
};

/**
 * Whether a thread looks as if it tried something again and again: it sleeps in short naps. A trace would show what it
 * does between them. Kernel functions and arguments are those of nanosleep(2), select(2), poll(2).
 */
export const nappingThreads = (look: Look): number[] => {
  const sampled = look.see(sample);
  if (!sampled.seen || sampled.data.seconds <= 0) return [];
  return sampled.data.threads.flatMap((thread) => {
    const naps = thread.syscalls
      .filter(
        (call) =>
          isSleep(call.name) ||
          call.name === 'restart_syscall' ||
          (/^(select|pselect6|poll|ppoll)$/.test(call.name) &&
            /^(0x)?0+$/.test(call.args[call.name.includes('poll') ? 1 : 0] ?? '')),
      )
      .reduce((sum, call) => sum + call.count, 0);
    const wakes = (thread.voluntarySwitches ?? 0) / sampled.data.seconds;
    return naps >= 0.7 * thread.samples && wakes >= 0.9 ? [thread.tid] : [];
  });
};
