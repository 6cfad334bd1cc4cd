import type { FindingDraft, Look } from '../model/index.ts';
import { sample } from '../probes/sample.ts';
import { waitsWithoutLimit } from '../reading/processes.ts';
import { frameName, ownFrame, threadName } from '../reading/python.ts';
import { type PythonWaitKind, waitOfStack } from '../reading/python-waits.ts';
import { type HandlerRun, signalName } from '../reading/signals.ts';
import { sampledCalls } from '../reading/syscalls.ts';
import { code } from '../reading/text.ts';
import { type Opinion, type Scene, type SelfWait, selfWait } from './signal-handler-deadlock.stack.ts';
import { handlerFix, nowFix } from './signal-handler-deadlock.texts.ts';

/** Handlers that wait for what only other code could bring, while all other code stands still. */

/** Wakes of the main thread in the window that signals alone explain. */
const SIGNALS_WAKE = 2;

const WORDS: Readonly<Partial<Record<PythonWaitKind, string>>> = {
  event: 'an event that somebody sets',
  condition: 'a condition that somebody notifies',
  'queue-put': 'room in a full queue',
  'queue-get': 'an item of a queue',
  'queue-join': 'the items of a queue to be done',
  'thread-join': 'the end of a thread',
  semaphore: 'a semaphore that somebody gives back',
  barrier: 'others at a barrier',
  future: 'a future to be done',
};

/** Whether every thread of the process stood in a wait in memory without a time limit, the whole window. */
const allStand = (look: Look): boolean => {
  const seen = look.see(sample);
  return (
    seen.seen &&
    seen.data.threadsNotSampled === 0 &&
    seen.data.threadsStarted === 0 &&
    seen.data.threads.every(
      (thread) =>
        (thread.voluntarySwitches ?? 9) <= (thread.tid === look.target.pid ? SIGNALS_WAKE : 0) &&
        sampledCalls(thread).some(
          (call) => call.share >= 0.95 && waitsWithoutLimit({ syscall: call.name, args: [...call.args] }),
        ),
    )
  );
};

/**
 * A handler that waits for an event, a queue or a thread, and no thread of the process could bring it: they all wait, and the
 * interrupted code goes on only when the handler has returned. Null when somebody may.
 */
export const judgeStandstill = (scene: Scene): Opinion | null => {
  const { look, run, thread } = scene;
  const { kind } = waitOfStack({ count: 1, frames: [...run.inside] });
  const words = WORDS[kind];
  if (words === undefined || !allStand(look)) return null;
  const sampled = look.see(sample);
  const own = sampled.seen ? sampled.data.threads.find((each) => each.tid === thread.tid) : undefined;
  const lines = sampled.seen && own?.syscalls[0] ? [{ evidenceId: sampled.evidenceId, at: own.syscalls[0].at }] : [];
  const inferred = scene.alone
    ? 'that the interrupted code would have brought it; there is no other thread that could'
    : 'that the interrupted code would have brought it; every other thread of the process waits too';
  return selfWait(
    scene,
    { kind: 'event', type: words },
    { confidence: scene.alone ? 0.8 : 0.72, inferred, holder: null, lines },
  );
};

/** The finding for such a handler. */
export const eventDraft = (look: Look, wait: SelfWait, run: HandlerRun, words: string): FindingDraft => {
  const signal = signalName(run.signal);
  const own = ownFrame({ count: 1, frames: [...run.inside] }) ?? run.handler;
  const interrupted = ownFrame({ count: 1, frames: [...run.interrupted] });
  return {
    confidence: wait.confidence,
    title: `The ${signal} handler ${code(run.handler.function, 60)} (${code(`${run.handler.file}:${run.handler.line}`, 100)}) waits for ${words}, and nothing goes on while it waits`,
    summary:
      `${signal} interrupted ${threadName(wait.thread)}${interrupted === null ? '' : ` in ${frameName(interrupted)}`}. The handler runs on top of it, in the same thread, and waits in ${frameName(own)} for ${words}, without a time limit. ` +
      `The interrupted code goes on only when the handler returns, so it cannot bring it.${wait.inferred === null ? '' : ` Not seen directly: ${wait.inferred}.`}`,
    evidence: wait.lines.slice(0, 7).map((line) => look.quote(line.evidenceId, line.at)),
    fixes: [handlerFix(run, signal), nowFix(look, wait, signal)],
  };
};
