import { z } from 'zod';
import { defineProbe, evidenceText } from '../model/index.ts';
import { parseLocks } from './locks.parse.ts';
import { LocksData } from './locks.ts';

/**
 * Every file lock of the host with its file and its holder (proc_locks(5)). Who polls for a lock often has the file open
 * only for the moment of the attempt, so that `locks`, which goes by the target's open files, cannot say who holds it.
 * Run beside the trace that shows which file that is.
 */
export const hostLocks = defineProbe<LocksData>({
  id: 'host-locks',
  title: 'All file locks of the host',
  phase: 3,
  impacts: ['none'],
  ptraces: false,
  needs: { python: true, privilege: 'none' },
  limits: { seconds: () => 10, bytes: 1_000_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: LocksData,
  command: ({ target, known }) => ({
    argv: [
      known?.python ?? 'python3',
      '-I',
      '-S',
      '-B',
      '{script:locks.py}',
      String(target.pid),
      target.startTime,
      'all',
    ],
    scripts: ['locks.py', 'open_files.py', 'lock_files.py', 'proc_files.py'],
  }),
  parse: (evidence, { target }) => parseLocks(evidenceText(evidence), target.pid),
});
