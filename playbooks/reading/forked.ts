import type { Look } from '../model/index.ts';
import { type IdentifyData, identify } from '../probes/identify.ts';
import { inModule } from './lock-frames.ts';
import type { PythonView } from './python.ts';

/** What says that a process is a copy of its parent: made by fork(2), without an exec since. */
export interface Forked {
  readonly parent: NonNullable<IdentifyData['parent']>;
  readonly evidenceId: string;
  /** `stack`: the frames of the fork are on it. `command`: it has its parent's command line. */
  readonly by: 'stack' | 'command';
}

/** The part of a title that a master and its workers share: `gunicorn: ` of `gunicorn: worker [shop]` (setproctitle). */
const titleOf = (command: string): string | null =>
  /^([\w./-]{2,60}: )(master|worker|child|pool)\b/.exec(command)?.[1] ?? null;

/** Whether the process was forked from a parent that still lives; null when that cannot be told. */
export const forkedFrom = (look: Look, view: PythonView | null): Forked | null => {
  const who = look.see(identify);
  if (!who.seen || who.data.parent === null || who.data.parent.pid <= 1) return null;
  const { parent, command } = who.data;
  const bootstrapped = view?.threads.some((thread) =>
    thread.stacks[0]?.frames.some(
      (frame) => inModule(frame, 'multiprocessing/popen_fork.py') || inModule(frame, 'multiprocessing/forking.py'),
    ),
  );
  if (bootstrapped) return { parent, evidenceId: who.evidenceId, by: 'stack' };
  const title = titleOf(command);
  const alike = parent.command === command || (title !== null && titleOf(parent.command) === title);
  return alike ? { parent, evidenceId: who.evidenceId, by: 'command' } : null;
};
