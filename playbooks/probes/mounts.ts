import { z } from 'zod';
import { defineProbe, evidenceText, LineNumber } from '../model/index.ts';
import { parseMounts } from './mounts.parse.ts';

export const Mount = z.object({
  /** Where it is mounted, as the process sees it. */
  point: z.string(),
  /** `ext4`, `nfs4`, `tmpfs`, … */
  kind: z.string(),
  /** `major:minor`. */
  device: z.string(),
  source: z.string(),
  /** `silent`: statvfs(3) did not come back in its time. `unknown`: it failed. */
  answer: z.enum(['space', 'silent', 'unknown']),
  /** Bytes and inodes; `available` is what others than root may use. Null unless it answered. */
  space: z
    .object({
      bytes: z.number(),
      free: z.number(),
      available: z.number(),
      /** 0 where inodes are made as they are needed. */
      inodes: z.number(),
      inodesFree: z.number(),
    })
    .nullable(),
  /** Files that the process has open there, for writing and for reading only; and whether it is in one of its folders. */
  writes: z.number().int(),
  reads: z.number().int(),
  cwd: z.boolean(),
  readOnly: z.boolean(),
  options: z.string(),
  at: LineNumber,
});
export type Mount = z.infer<typeof Mount>;

export const StoredFile = z.object({
  fd: z.number().int(),
  writes: z.boolean(),
  /** Bytes: its length, and what is taken on the file system. Null when not known. */
  size: z.number().nullable(),
  stored: z.number().nullable(),
  mount: z.string(),
  path: z.string(),
  deleted: z.boolean(),
  at: LineNumber,
});
export type StoredFile = z.infer<typeof StoredFile>;

export const MountsData = z.object({
  /** Those that the process uses, first those that it writes to; and others that are full or do not answer. */
  mounts: z.array(Mount),
  /** Its open files, those that it writes first, the biggest first. */
  files: z.array(StoredFile),
  /** Other processes of the host that were in state D at two looks half a second apart. */
  waiting: z.array(
    z.object({ pid: z.number().int(), comm: z.string(), wchan: z.string(), command: z.string(), at: LineNumber }),
  ),
});
export type MountsData = z.infer<typeof MountsData>;

/**
 * The file systems that the process has files on (proc_pid_mountinfo(5), statvfs(3)), its open files there, and who else on the
 * host waits for a disk. A file system that does not answer within a second is given up, by a child process of its own.
 */
export const mounts = defineProbe<MountsData>({
  id: 'mounts',
  title: 'File systems, their space, and who waits for them',
  phase: 2,
  impacts: ['none'],
  ptraces: false,
  needs: { python: true, privilege: 'none' },
  limits: { seconds: () => 20, bytes: 1_000_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: MountsData,
  command: ({ target, windowSeconds, known }) => ({
    argv: [
      known?.python ?? 'python3',
      '-I',
      '-S',
      '-B',
      '{script:mounts.py}',
      String(target.pid),
      target.startTime,
      String(windowSeconds),
    ],
    scripts: ['mounts.py', 'proc_files.py'],
  }),
  parse: (evidence, { target }) => parseMounts(evidenceText(evidence), target.pid),
});
