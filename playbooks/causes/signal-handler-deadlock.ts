import { defineCause, type FindingDraft, type Look, type Verdict } from '../model/index.ts';
import { sample } from '../probes/sample.ts';
import { frameName, ownFrame, type PythonView, pythonThreads, samplesWhere, threadName } from '../reading/python.ts';
import { inHandler, signalName } from '../reading/signals.ts';
import { code, count, duration, list } from '../reading/text.ts';
import { eventDraft } from './signal-handler-deadlock.events.ts';
import { judgeHandlers } from './signal-handler-deadlock.evidence.ts';
import { nativeHandlerDrafts } from './signal-handler-deadlock.native.ts';
import type { SelfWait } from './signal-handler-deadlock.stack.ts';
import {
  handlerFix,
  lockName,
  nowFix,
  sameSignal,
  senderFix,
  senderOf,
  waitingPlace,
} from './signal-handler-deadlock.texts.ts';

/** Other threads of the process that wait for the same lock. */
const threadsBehind = (view: PythonView, wait: SelfWait): number => {
  const address = wait.thread.waitsFor?.address;
  if (wait.lock.kind !== 'memory' || address === undefined) return 0;
  return view.threads.filter((each) => each !== wait.thread && each.waitsFor?.address === address).length;
};

const draftOf = (look: Look, view: PythonView, wait: SelfWait): FindingDraft | null => {
  const [run] = wait.runs;
  if (run === undefined) return null;
  if (wait.lock.kind === 'event') return eventDraft(look, wait, run, wait.lock.type);
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
  const same = sameSignal(wait);
  const outer = wait.runs.find((each) => each.signal !== run.signal);
  const nested =
    (same > 1
      ? ` ${count(same, 'run')} of this handler are stacked on each other: each new ${signal} interrupts the handler of the one before.`
      : '') +
    (outer === undefined
      ? ''
      : ` What it interrupted was itself in a handler: ${frameName(outer.handler)}, for ${signalName(outer.signal)}.`);
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
  const behindOther = wait.lock.kind === 'memory' && wait.lock.through !== null ? threadName(wait.lock.through) : null;
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
    title: `The ${signal} handler ${code(run.handler.function, 60)} (${code(`${run.handler.file}:${run.handler.line}`, 100)}) waits for ${behindOther === null ? `${lock}, which its own thread holds` : `${behindOther}, which waits for a lock that the interrupted code holds`}`,
    summary:
      `${signal} interrupted ${threadName(wait.thread)} ${where === null ? '' : `in ${frameName(where)}${through || ' '}`}while that code had ${lock}. The handler runs on top of it, in the ` +
      `same thread, and ${behindOther === null ? `wants the same lock in ${waitingPlace(run)}` : `waits for ${behindOther} in ${waitingPlace(run)}; that one wants the lock`}. The lock is given back by code that goes on only when the handler has ` +
      `returned, so ${behindOther === null ? 'neither' : 'none of them'} ever does. A handler was on the stack ${window}.${nested}${polled}${sender === null ? '' : ` ${sender.words}`}` +
      `${others.length === 0 ? '' : ` ${list(others.slice(0, 5).map((each) => `Process ${each.pid}`))} ${others.length === 1 ? 'waits' : 'wait'} for the same lock.`}` +
      `${behind === 0 ? '' : ` ${count(behind, 'other thread')} of this process ${behind === 1 ? 'waits' : 'wait'} behind it for the same lock.`}` +
      `${wait.inferred === null ? '' : ` Not seen directly: ${wait.inferred}.`}`,
    evidence: wait.lines.slice(0, 7).map((line) => look.quote(line.evidenceId, line.at)),
    fixes: [
      handlerFix(run, signal),
      ...(sender === null ? [] : [senderFix(signal, sender)]),
      nowFix(look, wait, signal),
    ],
    ...(related.length === 0 ? {} : { related }),
  };
};

const judge = (look: Look): Verdict => {
  const native = nativeHandlerDrafts(look);
  if (native.length > 0) return { verdict: 'fires', findings: native };
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
      (each) => each.kind === 'self' && (each.wait.lock.kind === 'file' || sameSignal(each.wait) > 1),
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
  explains: [
    'event-loop-blocked',
    'fd-leak',
    'file-lock-wait',
    'python-heap-growth',
    'signal-storm',
    'thread-deadlock',
  ],
  judge,
});
