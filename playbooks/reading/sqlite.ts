import type { Look } from '../model/index.ts';
import { strace } from '../probes/strace.ts';
import type { FileWait, LockLine } from './lock-waits.ts';

/** An SQLite database that a thread wants a lock of. */
export interface SqliteLock {
  /** The database's file; null when only a descriptor was seen. */
  readonly database: string | null;
  /** Its journal: in `wal` mode locks are on the -shm file beside it. */
  readonly mode: 'rollback' | 'wal';
}

/** PENDING_BYTE, RESERVED_BYTE and SHARED_SIZE of SQLite's os.h: 512 bytes from 1 GiB on, which nothing else has reason to lock. */
const inRollbackBytes = (start: number): boolean => start >= 2 ** 30 && start < 2 ** 30 + 512;

/** WAL_WRITE_LOCK to the last WAL_READ_LOCK, and the one for deadman, of a -shm file (UNIX_SHM_BASE in os_unix.c: 120 to 128). */
const inWalBytes = (start: number): boolean => start >= 120 && start <= 128;

const modeOf = (start: number, path: string | null): SqliteLock['mode'] | null => {
  if (inRollbackBytes(start)) return 'rollback';
  return inWalBytes(start) && path?.endsWith('-shm') ? 'wal' : null;
};

/** The bytes that an entry of the list of locks is about, both ends included; NaN when its line does not say. */
const bytesOf = (look: Look, lock: LockLine): { start: number; end: number } => {
  const match = / bytes (\d{1,19}) to (\d{1,19}|EOF),/.exec(look.quote(lock.evidenceId, lock.at).text);
  const end = match?.[2] === 'EOF' ? Number.POSITIVE_INFINITY : Number(match?.[2] ?? Number.NaN);
  return { start: Number(match?.[1] ?? Number.NaN), end };
};

const firstByte = (look: Look, lock: LockLine): number => bytesOf(look, lock).start;

/** The traced request that a wait is about. */
const requestOf = (look: Look, wait: FileWait): { start: number; end: number; write: boolean } | null => {
  const traced = look.see(strace);
  if (!traced.seen) return null;
  const lines = new Set(wait.lines.filter((line) => line.evidenceId === traced.evidenceId).map((line) => line.at));
  const call = traced.data.detail.calls.find((each) => lines.has(each.at));
  const match = /\bl_start=(\d{1,19}), l_len=(\d{1,19})/.exec(call?.args ?? '');
  if (call === undefined || match === null) return null;
  const start = Number(match[1]);
  return { start, end: start + Math.max(1, Number(match[2])) - 1, write: /\bF_WRLCK\b/.test(call.args) };
};

/** Those whose lock is in the way of what is asked for: on the same bytes, and one of both for writing. */
export const inTheWay = (look: Look, wait: FileWait, holders: readonly LockLine[]): LockLine[] => {
  const wanted = requestOf(look, wait);
  if (wanted === null) return [...holders];
  return holders.filter((lock) => {
    const { start, end } = bytesOf(look, lock);
    return start <= wanted.end && end >= wanted.start && (wanted.write || lock.mode === 'WRITE');
  });
};

const databaseOf = (path: string | null, mode: SqliteLock['mode']): string | null =>
  mode === 'wal' && path !== null ? path.slice(0, -'-shm'.length) : path;

/** The SQLite database whose lock a thread waits for, by the bytes that it locks; null when it is none. */
export const sqliteOf = (look: Look, wait: FileWait): SqliteLock | null => {
  if (wait.kind !== 'record') return null;
  const wanted = requestOf(look, wait);
  const starts = wanted === null ? wait.holders.map((lock) => firstByte(look, lock)) : [wanted.start];
  const mode = starts.map((start) => modeOf(start, wait.path)).find((each) => each !== null);
  return mode === undefined || mode === null ? null : { database: databaseOf(wait.path, mode), mode };
};

/**
 * Locks on SQLite's bytes among these that keep others from something: those for writing, and those of readers without WAL,
 * who keep a writer from its commit. In WAL mode everybody has a read lock on the database itself, which means nothing.
 */
export const databaseLocks = (look: Look, locks: readonly LockLine[]): LockLine[] => {
  const wal = new Set(locks.flatMap((lock) => (lock.path?.endsWith('-shm') ? [lock.path.slice(0, -4)] : [])));
  return locks.filter((lock) => {
    const mode = modeOf(firstByte(look, lock), lock.path);
    if (mode === null || (lock.mode === 'READ' && mode === 'wal')) return false;
    return lock.mode === 'WRITE' || lock.path === null || !wal.has(lock.path);
  });
};
