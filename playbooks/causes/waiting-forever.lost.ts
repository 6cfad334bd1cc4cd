import type { Look, PythonFrame } from '../model/index.ts';
import type { RelativeProcess } from '../probes/children.ts';
import { sample } from '../probes/sample.ts';
import { lastName, memoryWaits } from '../reading/lock-frames.ts';
import { caughtSignals, type Family, waitsWithoutLimit } from '../reading/processes.ts';
import type { PythonThreadView, PythonView } from '../reading/python.ts';
import { type PythonWait, steadyWait } from '../reading/python-waits.ts';
import { inHandler } from '../reading/signals.ts';
import { sampledCalls } from '../reading/syscalls.ts';
import { code } from '../reading/text.ts';
import { dataOf, type Lost, poolOf, sharedOf } from './waiting-forever.processes.ts';

const mainThread = (look: Look, view: PythonView): PythonThreadView | null =>
  view.threads.find((thread) => thread.tid === look.target.pid) ??
  (view.threads.length === 1 ? (view.threads[0] ?? null) : null);

/** Whether every thread of the process, also those that are not Python's, stood in a lock or condition without a limit. */
const nobodyRuns = (look: Look, family: Family): boolean => {
  const { target } = family;
  const stands = (each: RelativeProcess['threads'][number]) => each.same && each.woke === 0 && waitsWithoutLimit(each);
  if (target.threads.length === target.threadCount) return target.threads.every(stands);
  const sampled = look.see(sample);
  return (
    sampled.seen &&
    sampled.data.threadsNotSampled === 0 &&
    sampled.data.threads.every(
      (thread) =>
        thread.voluntarySwitches === 0 &&
        sampledCalls(thread).some(
          (call) => call.share >= 0.95 && waitsWithoutLimit({ syscall: call.name, args: [...call.args] }),
        ),
    )
  );
};

const IN_PROCESS = new Set([
  'queue-get',
  'queue-put',
  'queue-join',
  'event',
  'condition',
  'semaphore',
  'barrier',
  'thread-join',
  'shutdown',
  'future',
  'native',
]);

/** A wait for other threads of which none is left, or all wait too. */
const threadsOf = (
  look: Look,
  view: PythonView,
  family: Family,
  thread: PythonThreadView,
  wait: PythonWait,
): Lost | string => {
  if (!IN_PROCESS.has(wait.kind)) return 'the main thread waits for other processes, and they live';
  if (!nobodyRuns(look, family)) return 'other threads of the process run, or wait for time or descriptors';
  if (view.threads.some((each) => each.stacks.some(inHandler))) return 'a signal handler is at work';
  // The interpreter's own end waits for the lock that each thread has while it lives.
  const locked = memoryWaits(view).filter((each) => lastName(each.stack.frames[0] as PythonFrame) !== '_shutdown');
  if (locked.length > 0) return 'threads wait for locks of each other';
  const others = view.threads.filter((each) => each !== thread);
  const waits = others.map(steadyWait);
  const signals = caughtSignals(family.target);
  const working = caughtSignals(family.target, 'ending').length > 0;
  const native = family.target.threadCount - view.threads.length;
  const base = {
    thread,
    wait,
    lines: [family.target.at, ...(family.target.signals === null ? [] : [family.target.signals.at])],
    related: [],
  };
  const opinion = (missing: Lost['missing'], sureness: number, inferred: string): Lost => {
    const lowered = working ? Math.min(sureness, 0.4) : native > 0 ? Math.min(sureness, 0.55) : sureness;
    const but = working
      ? `that none of the signals that it handles (${signals.join(', ')}) wakes it`
      : native > 0
        ? `that none of its ${native} threads without Python, which wait too, wakes it`
        : inferred;
    return { ...base, missing, confidence: lowered, inferred: but };
  };
  if (others.length === 0) {
    // A main thread that has nothing to do but to wait for the signal to stop.
    const sentinel =
      wait.kind === 'event' || wait.kind === 'condition' || wait.kind === 'native' || wait.kind === 'semaphore';
    const sureness = signals.length > 0 ? (sentinel ? 0.4 : 0.65) : 0.85;
    return opinion('threads', sureness, 'which thread should have brought it; there is no other one any more');
  }
  if (wait.kind === 'event' || wait.kind === 'condition' || wait.kind === 'native' || wait.kind === 'semaphore')
    return opinion(
      'all-wait',
      0.4,
      'that it is not the signal to stop for which the main thread waits while others wait for work',
    );
  const pooled = waits.some((each) => each?.kind === 'queue-get' || each?.kind === 'native' || each === null);
  if (wait.kind === 'thread-join')
    return opinion(
      'all-wait',
      pooled ? 0.45 : signals.length > 0 ? 0.5 : 0.75,
      'that nothing from outside gives the other threads work',
    );
  const sureness = wait.kind === 'shutdown' ? 0.82 : signals.length > 0 ? 0.6 : 0.8;
  return opinion(
    'all-wait',
    sureness,
    `which of them should have gone on; every thread of the process waits${wait.kind === 'shutdown' ? ', and the main one has come to its end' : ''}`,
  );
};

/** The wait of the main thread that nobody can end, or why there is none. */
export const lostWaits = (look: Look, view: PythonView, family: Family): Lost | string => {
  const thread = mainThread(look, view);
  if (thread === null) return 'the main thread runs no Python';
  const wait = steadyWait(thread);
  if (wait === null) return 'the main thread did not stand in one place';
  if (wait.stack.frames.some((frame) => frame.signal !== null)) return 'the main thread is in a signal handler';
  const own = family.target.threads.find((each) => each.tid === thread.tid);
  if (own !== undefined && (!own.same || (own.woke ?? 1) > 0)) return 'the main thread woke in between';
  if (wait.kind === 'pool-result') return poolOf(family, thread, wait);
  const lost = dataOf(family, thread, wait) ?? sharedOf(family, thread, wait);
  if (lost !== null) return lost;
  if (own === undefined || !waitsWithoutLimit(own))
    return `the main thread waits in ${code(own?.syscall ?? 'a call')}, which others can end`;
  return threadsOf(look, view, family, thread, wait);
};
