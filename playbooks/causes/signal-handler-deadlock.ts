import { defineCause, type FindingDraft, type Fix, type Look, type PythonFrame, type Verdict } from '../model/index.ts';
import { identify } from '../probes/identify.ts';
import { sample } from '../probes/sample.ts';
import { strace } from '../probes/strace.ts';
import { frameName, ownFrame, type PythonView, pythonThreads, samplesWhere, threadName } from '../reading/python.ts';
import { asksToEnd, beat, inHandler, receivedSignals, signalName } from '../reading/signals.ts';
import { code, count, duration, list, shellCommand } from '../reading/text.ts';
import { judgeHandlers, type SelfWait } from './signal-handler-deadlock.evidence.ts';

interface Sender {
  readonly pid: number;
  readonly words: string;
  readonly seen: boolean;
}

/** Who sends the signal: seen in a trace, or else the parent, who usually does. */
const senderOf = (look: Look, wait: SelfWait): Sender | null => {
  const traced = look.see(strace);
  const who = look.see(identify);
  const parent = who.seen ? who.data.parent : null;
  const name = (pid: number): string =>
    parent?.pid === pid ? `its parent, process ${pid} (${code(parent.command, 100)})` : `process ${pid}`;
  const signal = signalName(wait.runs[0]?.signal ?? 0);
  const repeated = traced.seen
    ? receivedSignals(traced.data, look.target.pid).find((each) => each.signal === signal)
    : undefined;
  if (repeated !== undefined) {
    const every = beat(repeated.times);
    const often =
      every === null ? 'once during the trace' : `${repeated.times.length} times, every ${duration(every.seconds)}`;
    return { pid: repeated.peer, words: `${signal} came from ${name(repeated.peer)} ${often}.`, seen: true };
  }
  if (wait.runs.length < 2 || parent === null || parent.pid <= 1) return null;
  return {
    pid: parent.pid,
    words: `Somebody sends ${signal} again and again; look at ${name(parent.pid)} first.`,
    seen: false,
  };
};

const lockName = (wait: SelfWait): string => {
  const { lock } = wait;
  if (lock.kind !== 'file') return `a ${code(lock.type)}`;
  const words = { flock: 'file lock', record: 'record lock', file: 'lock file' } as const;
  return lock.wait.path === null
    ? `a ${words[lock.wait.kind]}`
    : `the ${words[lock.wait.kind]} ${code(lock.wait.path)}`;
};

const lastName = (frame: PythonFrame): string => frame.function.slice(frame.function.lastIndexOf('.') + 1);

const handlerFix = (handler: PythonFrame, signal: string, waiting: PythonFrame): Fix => {
  const method = handler.function.includes('.') && !handler.function.includes('<locals>');
  const name = lastName(handler).replace(/\W/g, '') || 'handler';
  const flag = asksToEnd(signal) ? 'stopping' : 'asked';
  return {
    title: `Let the ${signal} handler ${code(handler.function)} only set a flag`,
    detail:
      `Python runs a handler between two instructions of whatever the main thread is doing, so it may not want anything that ` +
      `this code could have: no logging, no ${code('print')}, no lock, no queue, no file. Here it got as far as ${frameName(waiting)}. ` +
      `Move that work from ${code(`${handler.file}:${handler.line}`)} to the main loop, which looks at the flag; where the loop waits in ` +
      `${code('select')}, ${code('accept')} or ${code('read')}, let ${code('signal.set_wakeup_fd')} (or one ${code('os.write')} to a pipe) wake it.`,
    code: method
      ? `def ${name}(self, signum, frame):\n    self.${flag} = True      # nothing else here\n\n# in the main loop:\nif self.${flag}:\n    ...                       # what the handler did, outside of it`
      : `${flag} = []\n\ndef ${name}(signum, frame):\n    ${flag}.append(signum)   # nothing else here\n\n# in the main loop:\nif ${flag}:\n    ...                     # what the handler did, outside of it`,
  };
};

const senderFix = (signal: string, sender: Sender): Fix => ({
  title: `Send ${signal} once, wait with a deadline, then SIGKILL`,
  detail:
    `${sender.words} Another one never helps: it interrupts the handler of the one before. Send it once, join with a ` +
    'deadline, and escalate once. A handler that stops children calls `os._exit` only after they have been joined.',
  code:
    'for worker in workers:\n    worker.terminate()            # once\ndeadline = time.monotonic() + 30\nfor worker in workers:\n' +
    '    worker.join(max(0, deadline - time.monotonic()))\n    if worker.exitcode is None:\n' +
    '        os.kill(worker.pid, signal.SIGKILL)\n        worker.join()',
});

const nowFix = (look: Look, wait: SelfWait, signal: string): Fix => {
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

/** Other threads of the process that wait for the same lock. */
const threadsBehind = (view: PythonView, wait: SelfWait): number => {
  const address = wait.thread.waitsFor?.address;
  if (wait.lock.kind !== 'memory' || address === undefined) return 0;
  return view.threads.filter((each) => each !== wait.thread && each.waitsFor?.address === address).length;
};

const draftOf = (look: Look, view: PythonView, wait: SelfWait): FindingDraft | null => {
  const [run] = wait.runs;
  const waiting = run?.inside[0];
  if (run === undefined || waiting === undefined) return null;
  const pid = look.target.pid;
  const signal = signalName(run.signal);
  const lock = lockName(wait);
  const sender = senderOf(look, wait);
  const inside = samplesWhere(wait.thread, inHandler);
  const interrupted = ownFrame({ count: 1, frames: [...run.interrupted] });
  const where = wait.holder ?? interrupted;
  const caller =
    where === null ? null : ownFrame({ count: 1, frames: run.interrupted.slice(run.interrupted.indexOf(where)) });
  const through = caller === null || caller === where ? '' : `, called by ${frameName(caller)}, `;
  const nested =
    wait.runs.length > 1
      ? ` ${count(wait.runs.length, 'run')} of signal handlers are stacked on each other: each new signal interrupts the handler of the one before.`
      : '';
  const window =
    wait.thread.from === 'py-bt'
      ? 'when it was looked at'
      : `in ${inside} of ${wait.thread.samples + wait.thread.missed} samples`;
  const polled =
    wait.lock.kind === 'file' && wait.lock.wait.refusals > 0
      ? ` It was refused ${count(wait.lock.wait.refusals, 'time')}${wait.lock.wait.everySeconds === null ? '' : `, every ${duration(wait.lock.wait.everySeconds)}`}.`
      : '';
  const others = wait.lock.kind === 'file' ? wait.lock.wait.waiters.filter((each) => each.pid !== pid) : [];
  const behind = threadsBehind(view, wait);
  const related = [
    ...(sender === null
      ? []
      : [
          {
            pid: sender.pid,
            why: sender.seen
              ? `it sends ${signal} to this process`
              : `it is the parent and may send ${signal} again and again`,
          },
        ]),
    ...others.slice(0, 4).map((each) => ({ pid: each.pid, why: 'it waits for the lock that this process holds' })),
  ];
  return {
    confidence: wait.confidence,
    title: `The ${signal} handler ${code(run.handler.function, 60)} (${code(`${run.handler.file}:${run.handler.line}`, 100)}) waits for ${lock}, which its own thread holds`,
    summary:
      `${signal} interrupted ${threadName(wait.thread)} ${where === null ? '' : `in ${frameName(where)}${through || ' '}`}while that code had ${lock}. The handler runs on top of it, in the ` +
      `same thread, and wants the same lock in ${frameName(waiting)}. The lock is given back by code that goes on only when the handler has ` +
      `returned, so neither ever does. A handler was on the stack ${window}.${nested}${polled}${sender === null ? '' : ` ${sender.words}`}` +
      `${others.length === 0 ? '' : ` ${list(others.slice(0, 5).map((each) => `Process ${each.pid}`))} ${others.length === 1 ? 'waits' : 'wait'} for the same lock.`}` +
      `${behind === 0 ? '' : ` ${count(behind, 'other thread')} of this process ${behind === 1 ? 'waits' : 'wait'} behind it for the same lock.`}` +
      `${wait.inferred === null ? '' : ` Not seen directly: ${wait.inferred}.`}`,
    evidence: wait.lines.slice(0, 7).map((line) => look.quote(line.evidenceId, line.at)),
    fixes: [
      handlerFix(run.handler, signal, waiting),
      ...(sender === null ? [] : [senderFix(signal, sender)]),
      nowFix(look, wait, signal),
    ],
    ...(related.length === 0 ? {} : { related }),
  };
};

const judge = (look: Look): Verdict => {
  const view = pythonThreads(look);
  if (view === null) {
    return {
      verdict: 'cannot-tell',
      why: 'no Python stack could be read, so whether a signal handler is on one is not known',
      wants: ['py-bt'],
    };
  }
  const opinions = judgeHandlers(look, view);
  const findings = opinions.flatMap((opinion) =>
    opinion.kind === 'self' ? (draftOf(look, view, opinion.wait) ?? []) : [],
  );
  if (findings.length > 0) {
    // A trace shows refused attempts and senders; of locks in memory it shows nothing.
    const traceable = opinions.some(
      (each) => each.kind === 'self' && (each.wait.lock.kind === 'file' || each.wait.runs.length > 1),
    );
    const wants = traceable && findings.some((finding) => finding.confidence < 0.9) ? { wants: ['strace'] } : {};
    return { verdict: 'fires', findings: findings.toSorted((a, b) => b.confidence - a.confidence), ...wants };
  }
  const untold = opinions.find((opinion) => opinion.kind === 'untold');
  if (untold !== undefined) return { verdict: 'cannot-tell', why: untold.why, wants: untold.wants };
  const other = opinions.find((opinion) => opinion.kind === 'other');
  return { verdict: 'clear', why: other?.why ?? 'no signal handler was on the stack of any thread' };
};

/** A handler that waits, in the thread that it interrupted, for a lock that the interrupted code has. */
export const signalHandlerDeadlock = defineCause({
  id: 'signal-handler-deadlock',
  title: 'A signal handler waits for a lock that the code it interrupted holds',
  needs: [sample],
  explains: ['signal-storm', 'file-lock-wait', 'thread-deadlock'],
  judge,
});
