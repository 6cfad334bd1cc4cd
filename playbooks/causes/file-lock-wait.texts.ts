import type { Fix, Look } from '../model/index.ts';
import { identify } from '../probes/identify.ts';
import { sample } from '../probes/sample.ts';
import type { FileWait, LockLine } from '../reading/lock-waits.ts';
import { frameName, ownFrame, type PythonThreadView } from '../reading/python.ts';
import { code, count, duration, list, shellCommand } from '../reading/text.ts';

/** Sentences and fixes of file-lock-wait. */

const STATES: Readonly<Record<string, string>> = {
  R: 'running',
  S: 'sleeping',
  D: 'in an uninterruptible wait, usually for a disk or a network file system',
  T: 'stopped',
  t: 'stopped by a debugger or tracer',
  Z: 'dead and not waited for by its parent',
};

/** How the holder is related to the process, for a sentence. */
const relation = (look: Look, pid: number): string => {
  const who = look.see(identify);
  if (!who.seen) return '';
  if (who.data.parent?.pid === pid) return 'its parent, ';
  if (who.data.children.some((each) => each.pid === pid)) return 'its child, ';
  if (who.data.siblings.some((each) => each.pid === pid)) return 'a process with the same parent, ';
  return '';
};

/** Who holds the lock: relation, pid, command, state. */
export const holderWords = (look: Look, holder: LockLine): string => {
  const command = holder.command === null ? '' : ` (${code(holder.command, 120)})`;
  const state = holder.state === null ? '' : `, which is ${STATES[holder.state] ?? `in state ${holder.state}`}`;
  return `${relation(look, holder.pid)}process ${holder.pid}${command}${state}`;
};

/** The lock, for sentences. */
export const place = (wait: FileWait): string => {
  const what = { flock: 'file lock', record: 'record lock', file: 'lock file' }[wait.kind];
  return wait.path === null ? `a ${what}` : `the ${what} ${code(wait.path)}`;
};

/** How hard it tried. */
export const effort = (look: Look, wait: FileWait): string => {
  if (wait.how === 'polled') {
    const every = wait.everySeconds === null ? '' : `, every ${duration(wait.everySeconds)}`;
    return `It tried ${count(wait.refusals, 'time')} in the trace${every}, and was refused each time.`;
  }
  const sampled = look.see(sample);
  const seconds = sampled.seen ? ` of ${duration(sampled.data.seconds)}` : '';
  return `It was blocked in the call ${wait.stuck === 'yes' ? 'for the whole window' : 'whenever it was looked at in a window'}${seconds}.`;
};

/** What to do about the holder. */
export const holderFixes = (look: Look, wait: FileWait, holders: readonly LockLine[]): Fix[] => {
  const [first] = holders;
  if (first === undefined) return [];
  const pids = holders.map((each) => `process ${each.pid}`);
  const stopped = holders.filter((each) => each.state === 'T');
  return [
    {
      title: `Diagnose the holder: ${list(pids)}`,
      detail:
        `This process goes on by itself as soon as the lock is given back, so the fault is to be sought in ${holderWords(look, first)}. ` +
        'If it may end, end it in an orderly way: the kernel frees the lock with its last descriptor.',
      code: shellCommand(['lslocks', '-p', String(first.pid)]),
    },
    ...(stopped.length > 0
      ? [
          {
            title: `Let ${list(stopped.map((each) => `process ${each.pid}`))} run again`,
            detail: 'The holder is stopped (job control, a debugger, a backup script) and cannot give the lock back.',
            code: stopped.map((each) => shellCommand(['kill', '-CONT', String(each.pid)])).join('\n'),
          },
        ]
      : []),
    {
      title: 'Do not delete the lock file while its holder lives',
      detail:
        `The holder keeps its lock on the deleted file and whoever comes next locks a new one: two then do at once what only one may do. ` +
        `${wait.path === null ? '' : `The file ${code(wait.path)} being there means nothing; who holds the lock is in /proc/locks.`}`.trim(),
    },
  ];
};

/** What to change in the code that waits. */
export const waiterFix = (look: Look, wait: FileWait, thread: PythonThreadView | null): Fix => {
  const own = thread?.stacks[0] === undefined ? null : ownFrame(thread.stacks[0]);
  const where = own === null ? 'Where the lock is taken' : `In ${frameName(own)}`;
  const who = look.see(identify);
  const take = `fcntl.${wait.kind === 'record' ? 'lockf' : 'flock'}(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)`;
  const python =
    wait.kind === 'file'
      ? `${take}   # the kernel frees it when its holder dies;\n# a file that must not exist stays behind and locks everybody out`
      : `deadline = time.monotonic() + 30\nwhile True:\n    try:\n        ${take}\n        break\n    except BlockingIOError:\n        if time.monotonic() > deadline:\n            raise TimeoutError(f'{guard.name} is locked by somebody else')\n        time.sleep(0.2)`;
  return {
    title: 'Wait with a deadline, and say for whom',
    detail:
      `${where} the process waits without a limit and without a word. Give up after a while, log the lock and its holder, ` +
      'and hold such a lock only around the step that needs it, never while something slow or a signal handler runs.',
    code:
      who.seen && who.data.runtime.kind !== 'python'
        ? `${shellCommand(['flock', '-w', '30', wait.path ?? 'LOCK', 'COMMAND'])}   # flock(1) gives up after 30 s`
        : python,
  };
};

/** What to do about a lock file whose maker is not known. */
export const madeFileFixes = (wait: FileWait): Fix[] => {
  const path = wait.path ?? '';
  return [
    {
      title: `Find out who made ${code(path)}, and whether it still lives`,
      detail:
        'The kernel does not record who made a lock file. Often its pid is written in it, or it has the file open. Only when ' +
        'its maker is gone is the file a leftover that may be removed.',
      code: [
        shellCommand(['ls', '-l', path]),
        shellCommand(['head', '-c', '200', path]),
        shellCommand(['fuser', '-v', path]),
      ].join('\n'),
    },
  ];
};
