import type { Fix } from '../model/index.ts';
import type { Family } from '../reading/processes.ts';
import { frameName } from '../reading/python.ts';
import { type HandlerRun, signalName } from '../reading/signals.ts';
import { code, list } from '../reading/text.ts';

/** What to change in master and workers. */
export const fixesOf = (family: Family, run: HandlerRun | null, signals: readonly number[]): Fix[] => {
  const names = signals.slice(0, 6).map(signalName);
  const set = names.filter((name) => name.startsWith('SIG'));
  const handler = run === null ? 'The master’s handler' : frameName(run.handler);
  const master = family.data.processes.find((each) => each.relation === 'parent');
  return [
    {
      title: `Reset ${list(names)} in the child, first thing after the fork`,
      detail:
        `A forked child has all handlers of its parent until it sets others or calls exec (fork(2), signal(7)). ${handler} belongs to the master alone: give each worker handlers of its own that only stop this worker, as uWSGI and gunicorn do. ` +
        'Block the signals around the fork, so that none comes in between.',
      code:
        `def worker_main(*arguments):\n    for number in [${(set.length > 0 ? set : ['SIGTERM', 'SIGINT']).map((name) => `signal.${name}`).join(', ')}]:\n        signal.signal(number, signal.SIG_DFL)      # or the worker's own handler\n    ...\n\n` +
        'blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD})\npid = os.fork()\nif pid == 0:\n    # reset handlers here\n    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)\n    worker_main()\n# multiprocessing: do it at the top of target=, or os.register_at_fork(after_in_child=reset_handlers)',
    },
    {
      title: 'Let the handler know whose it is, and the master restart only what died',
      detail: `Until all children reset their handlers, let it do nothing in a process that is not the master. When one worker dies, the master starts that one again and leaves the others alone.`,
      code: 'MASTER = os.getpid()\n\ndef stop_all(signum, frame):\n    if os.getpid() != MASTER:\n        raise SystemExit(0)          # only this worker ends\n    ...\n\npid, status = os.waitpid(-1, os.WNOHANG)\nif pid:\n    workers[pid] = start_worker()    # this one alone',
    },
    {
      title: 'Verify',
      detail: `After the change the two masks of ${code('SigCgt')} differ.`,
      code: `grep SigCgt /proc/${master?.pid ?? family.target.pid}/status /proc/${family.target.pid}/status`,
    },
  ];
};
