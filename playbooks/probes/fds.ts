import { z } from 'zod';
import { defineProbe, evidenceText, LineNumber } from '../model/index.ts';
import { parseFds } from './fds.parse.ts';

/** Descriptors of one kind and name. */
export const FdGroup = z.object({
  /** `file`, `deleted file`, `device`, `socket`, `pipe`, `epoll`, `eventfd`, `inotify`, `memfd`, … */
  kind: z.string(),
  /** A path, or what the names of a folder have in common around a star; null for kinds whose names say nothing. */
  name: z.string().nullable(),
  first: z.number().int(),
  last: z.number().int(),
  /** There at the end and not at the beginning, and the other way round; a number that was used anew counts as both. */
  opened: z.number().int(),
  closed: z.number().int(),
  /** Distinct names behind a star. */
  names: z.number().int(),
  at: LineNumber,
});
export type FdGroup = z.infer<typeof FdGroup>;

export const FdsData = z.object({
  seconds: z.number(),
  /** RLIMIT_NOFILE; null for unlimited. */
  limits: z.object({ soft: z.number().nullable(), hard: z.number().nullable(), at: LineNumber }).nullable(),
  /** /proc/sys/fs/file-nr: open on the whole host, and how many may be. */
  host: z.object({ open: z.number(), most: z.number(), at: LineNumber }).nullable(),
  /** How many were open at moments of the window, seconds since its beginning. */
  counts: z.array(z.object({ seconds: z.number(), open: z.number().int() })).min(1),
  countsAt: LineNumber,
  kinds: z.array(z.object({ kind: z.string(), first: z.number().int(), last: z.number().int(), at: LineNumber })),
  /** The biggest groups and those that grew most, biggest first. */
  groups: z.array(FdGroup),
  newest: z.array(z.object({ fd: z.number().int(), opened: z.boolean(), target: z.string(), at: LineNumber })),
});
export type FdsData = z.infer<typeof FdsData>;

/**
 * What the process has open at both ends of the window, by kind and name, and how many in between (proc_pid_fd(5),
 * getrlimit(2)). Measured: 20,000 descriptors cost the host 0.1 s of CPU, an ordinary process 0.03 s.
 */
export const fds = defineProbe<FdsData>({
  id: 'fds',
  title: 'Open descriptors over a window',
  phase: 2,
  impacts: ['none'],
  ptraces: false,
  needs: { privilege: 'none' },
  limits: { seconds: ({ windowSeconds }) => windowSeconds + 10, bytes: 1_000_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: FdsData,
  command: ({ target, windowSeconds, known }) => {
    const words = [String(target.pid), target.startTime, String(windowSeconds)];
    if (known?.python)
      return {
        argv: [known.python, '-I', '-S', '-B', '{script:fds.py}', ...words],
        scripts: ['fds.py', 'proc_files.py'],
      };
    return { argv: ['sh', '{script:fds.sh}', ...words], scripts: ['fds.sh'] };
  },
  parse: (evidence, { target }) => parseFds(evidenceText(evidence), target.pid),
});
