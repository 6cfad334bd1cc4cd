import type { Fix, Look, PythonFrame } from '../model/index.ts';
import { identify } from '../probes/identify.ts';
import { strace } from '../probes/strace.ts';
import { ownThreads } from '../reading/lock-waits.ts';
import { frameName, isLibraryFile } from '../reading/python.ts';
import { asksToEnd, beat, type HandlerRun, receivedSignals, signalName } from '../reading/signals.ts';
import { code, duration, list, shellCommand } from '../reading/text.ts';
import type { SelfWait } from './signal-handler-deadlock.stack.ts';

/** Sentences and fixes of signal-handler-deadlock. */

/** Who sends the signal, and whether a trace showed it. */
export interface Sender {
  readonly pid: number;
  readonly words: string;
  readonly seen: boolean;
}

/** Runs of handlers for the signal that came last: more than one says that it is sent again and again. */
export const sameSignal = (wait: SelfWait): number =>
  wait.runs.filter((run) => run.signal === wait.runs[0]?.signal).length;

/** Who sends the signal: seen in a trace, or else the parent, who usually does when it is sent again and again. */
export const senderOf = (look: Look, wait: SelfWait): Sender | null => {
  const traced = look.see(strace);
  const who = look.see(identify);
  const parent = who.seen ? who.data.parent : null;
  const name = (pid: number): string =>
    parent?.pid === pid ? `its parent, process ${pid} (${code(parent.command, 100)})` : `process ${pid}`;
  const signal = signalName(wait.runs[0]?.signal ?? 0);
  const repeated = traced.seen
    ? receivedSignals(traced.data, ownThreads(look)).find((each) => each.signal === signal)
    : undefined;
  if (repeated !== undefined) {
    const every = beat(repeated.times);
    const often =
      every === null ? 'once during the trace' : `${repeated.times.length} times, every ${duration(every.seconds)}`;
    return { pid: repeated.peer, words: `${signal} came from ${name(repeated.peer)} ${often}.`, seen: true };
  }
  if (sameSignal(wait) < 2 || parent === null || parent.pid <= 1) return null;
  return {
    pid: parent.pid,
    words: `Somebody sends ${signal} again and again; look at ${name(parent.pid)} first.`,
    seen: false,
  };
};

/** The lock, for sentences. */
export const lockName = (wait: SelfWait): string => {
  const { lock } = wait;
  if (lock.kind !== 'file') return `a ${code(lock.type)}`;
  const words = { flock: 'file lock', record: 'record lock', file: 'lock file' } as const;
  return lock.wait.path === null
    ? `a ${words[lock.wait.kind]}`
    : `the ${words[lock.wait.kind]} ${code(lock.wait.path)}`;
};

const lastName = (frame: PythonFrame): string => frame.function.slice(frame.function.lastIndexOf('.') + 1);

/** Where the handler waits: in the program's own code, and through which of the library's. */
export const waitingPlace = (run: HandlerRun): string => {
  const [inner] = run.inside;
  const own = run.inside.find((frame) => !isLibraryFile(frame.file));
  if (inner === undefined) return '';
  return own === undefined || own === inner ? frameName(inner) : `${frameName(own)}, through ${code(inner.function)}`;
};

/** What to change in the handler. */
export const handlerFix = (run: HandlerRun, signal: string): Fix => {
  const { handler } = run;
  const method = handler.function.includes('.') && !handler.function.includes('<locals>');
  const name = lastName(handler).replace(/\W/g, '') || 'handler';
  const flag = asksToEnd(signal) ? 'stopping' : 'asked';
  return {
    title: `Let the ${signal} handler ${code(handler.function)} only set a flag`,
    detail:
      `Python runs a handler between two instructions of whatever the main thread is doing, so it may not want anything that ` +
      `this code could have: no logging, no ${code('print')}, no lock, no queue, no file. Here it got as far as ${waitingPlace(run)}. ` +
      `Move that work from ${code(`${handler.file}:${handler.line}`)} to the main loop, which looks at the flag; where the loop waits in ` +
      `${code('select')}, ${code('accept')} or ${code('read')}, let ${code('signal.set_wakeup_fd')} (or one ${code('os.write')} to a pipe) wake it.`,
    code: method
      ? `def ${name}(self, signum, frame):\n    self.${flag} = True      # nothing else here\n\n# in the main loop:\nif self.${flag}:\n    ...                       # what the handler did, outside of it`
      : `${flag} = []\n\ndef ${name}(signum, frame):\n    ${flag}.append(signum)   # nothing else here\n\n# in the main loop:\nif ${flag}:\n    ...                     # what the handler did, outside of it`,
  };
};

/** What to change in whoever sends the signal. */
export const senderFix = (signal: string, sender: Sender): Fix => ({
  title: `Send ${signal} once, wait with a deadline, then SIGKILL`,
  detail:
    `${sender.words} Another one never helps: it interrupts the handler of the one before. Send it once, join with a ` +
    'deadline, and escalate once. A handler that stops children calls `os._exit` only after they have been joined.',
  code:
    'for worker in workers:\n    worker.terminate()            # once\ndeadline = time.monotonic() + 30\nfor worker in workers:\n' +
    '    worker.join(max(0, deadline - time.monotonic()))\n    if worker.exitcode is None:\n' +
    '        os.kill(worker.pid, signal.SIGKILL)\n        worker.join()',
});

/** What to do with the process as it is. */
export const nowFix = (look: Look, wait: SelfWait, signal: string): Fix => {
  const pid = look.target.pid;
  const kill = shellCommand(['kill', '-KILL', String(pid)]);
  const { lock } = wait;
  const others =
    lock.kind === 'file' ? lock.wait.waiters.filter((each) => each.pid !== pid).map((each) => each.pid) : [];
  const title = `To get rid of it now: SIGKILL to process ${pid}`;
  const polite = asksToEnd(signal) ? ` ${signal} cannot end it, because the handler of ${signal} is what hangs.` : '';
  if (lock.kind !== 'file') {
    return {
      title,
      detail: `No other thread can give this lock back.${polite} Work that it has not saved is lost.`,
      code: kill,
    };
  }
  if (lock.wait.kind === 'file') {
    const path = lock.wait.path ?? '';
    return {
      title,
      detail:
        `${polite.trim()} The lock file stays behind when the process is gone: remove it afterwards, and not before.`.trim(),
      code: `${kill}\n${shellCommand(['rm', path])}`,
    };
  }
  const waiters =
    others.length > 0 ? ` Then ${list(others.map((each) => `process ${each}`))}, which wait for it, go on.` : '';
  return {
    title,
    detail:
      `The kernel gives the lock back when its holder ends.${waiters}${polite} Do not delete the lock file instead: who has it open goes on ` +
      'with the old one, newcomers lock a new one, and two of them do at once what only one may do.',
    code: kill,
  };
};
