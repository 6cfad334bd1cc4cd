import { z } from 'zod';
import { LineNumber } from '../model/index.ts';

export const FileLock = z.object({
  kind: z.enum(['FLOCK', 'POSIX', 'OFDLCK', 'LEASE']),
  mode: z.enum(['READ', 'WRITE']),
  /** Waiting for the lock instead of holding it (`->` in /proc/locks). */
  waiting: z.boolean(),
  pid: z.number().int(),
  comm: z.string().nullable(),
  command: z.string().nullable(),
  /** State letter of that process, null when it could not be read. */
  state: z.string().nullable(),
  inode: z.string(),
  path: z.string().nullable(),
  /** The target's descriptors that are open on this inode. */
  targetFds: z.array(z.number().int()),
  at: LineNumber,
});
export type FileLock = z.infer<typeof FileLock>;
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
});
export type LocksData = z.infer<typeof LocksData>;
