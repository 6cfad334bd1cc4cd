import { z } from 'zod';
import { defineProbe, evidenceText, LineNumber } from '../model/index.ts';
import { parseLocks } from './locks.parse.ts';

export const FileLock = z.object({
  kind: z.enum(['FLOCK', 'POSIX', 'OFDLCK', 'LEASE']),
  mode: z.enum(['READ', 'WRITE']),
  /** Waiting for the lock instead of holding it (`->` in /proc/locks). */
  waiting: z.boolean(),
  /** Its owner in the pid namespace of the look; 0 or less for an open-file-description lock whose owner is not known. */
  pid: z.number().int(),
  comm: z.string().nullable(),
  command: z.string().nullable(),
  /** State letter of that process, null when it could not be read. */
  state: z.string().nullable(),
  /** Device and inode as /proc/locks writes them, `fe:00:2147445`: equal for locks on one file. */
  inode: z.string(),
  path: z.string().nullable(),
  /** The target's descriptors that are open on this inode. */
  targetFds: z.array(z.number().int()),
  at: LineNumber,
});
export type FileLock = z.infer<typeof FileLock>;
/** A file or folder that is called like a lock. */
export const LockFile = z.object({
  path: z.string(),
  /** The process whose pid is written in it, or that has it open; null when it names nobody. */
  pid: z.number().int().nullable(),
  how: z.enum(['names', 'open']),
  /** In a folder that the process works in, and not only where such files are kept. */
  near: z.boolean(),
  comm: z.string().nullable(),
  command: z.string().nullable(),
  /** State letter; null when there is no such process. */
  state: z.string().nullable(),
  at: LineNumber,
});
export type LockFile = z.infer<typeof LockFile>;
/** Locks on files that the target has open, or that the target holds or waits for; the holder of each is among them. */
export const LocksData = z.object({
  locks: z.array(FileLock),
  /** Regular files that the target has open and other processes too: who, for locks that /proc/locks does not know. */
  sharedFiles: z.array(
    z.object({
      path: z.string(),
      pids: z.array(z.object({ pid: z.number().int(), comm: z.string() })),
      at: LineNumber,
    }),
  ),
  /** Files and folders that may serve as locks by being there; absent when there are none. */
  lockFiles: z.array(LockFile).optional(),
});
export type LocksData = z.infer<typeof LocksData>;

/**
 * Who holds and who waits for which file lock (proc_locks(5)), resolved to paths and processes. Open-file-description locks,
 * which have no pid there, and locks that a child inherited are found by /proc/PID/fdinfo (proc_pid_fdinfo(5)).
 */
export const locks = defineProbe<LocksData>({
  id: 'locks',
  title: 'File locks, their holders and waiters',
  phase: 1,
  impacts: ['none'],
  ptraces: false,
  needs: { privilege: 'none' },
  limits: { seconds: () => 10, bytes: 1_000_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: LocksData,
  command: ({ target, known }) => {
    const words = [String(target.pid), target.startTime];
    if (known?.python)
      return {
        argv: [known.python, '-I', '-S', '-B', '{script:locks.py}', ...words],
        scripts: ['locks.py', 'open_files.py', 'lock_files.py', 'proc_files.py'],
      };
    return { argv: ['sh', '{script:locks.sh}', ...words], scripts: ['locks.sh'] };
  },
  parse: (evidence, { target }) => parseLocks(evidenceText(evidence), target.pid),
});
