import type { FindingDraft, Look } from '../model/index.ts';
import { type SampledThread, sample } from '../probes/sample.ts';
import { FEW_WAKES } from '../reading/lock-waits.ts';
import { frameName, ownFrame, pythonThreads, quoteFrame, threadName, threadOf } from '../reading/python.ts';
import { signalName } from '../reading/signals.ts';
import { code, duration, list, shellCommand } from '../reading/text.ts';

/** The native lock that the thread stood at and, as far as the lock tells, has itself; null when there is none. */
const ownLockOf = ({ tid, ownLock, mutex }: SampledThread) =>
  ownLock ?? (mutex?.ownerTid === tid ? { of: 'mutex' as const, blocked: mutex.blocked, at: mutex.at } : null);

/** Signals that this thread blocks and no other one does: those of handlers that it is in. Null when there are none. */
const handled = (thread: SampledThread, others: readonly SampledThread[]): readonly number[] | null => {
  const blocked = ownLockOf(thread)?.blocked.filter(
    (signal) => !others.some((other) => (other.ownLock ?? other.mutex)?.blocked.includes(signal)),
  );
  return blocked === undefined || blocked.length === 0 || blocked.length > 8 ? null : blocked;
};

/**
 * A handler in native code that waits for a lock of the C library, as malloc's, or for a mutex, which its own thread has: it
 * interrupted the function that took it. No Python frame shows such a handler, but the thread blocks its signal and never wakes.
 */
export const nativeHandlerDrafts = (look: Look): FindingDraft[] => {
  const seen = look.see(sample);
  if (!seen.seen) return [];
  const { threads, seconds } = seen.data;
  const view = pythonThreads(look);
  return threads.flatMap((thread): FindingDraft[] => {
    const signals = handled(
      thread,
      threads.filter((each) => each !== thread),
    );
    const lock = ownLockOf(thread);
    if (signals === null || lock === null || (thread.voluntarySwitches ?? 0) > FEW_WAKES) return [];
    const names = list(signals.map(signalName));
    const python = threadOf(view, thread.tid);
    const stack = python?.stacks[0];
    const frame = stack === undefined ? null : ownFrame(stack);
    const who = threadName(python ?? { tid: thread.tid, name: thread.comm, main: thread.tid === look.target.pid });
    const what = {
      arena: 'the lock of a malloc arena',
      libc: 'a lock of the C library',
      mutex: `the mutex at ${thread.mutex?.address ?? ''}`,
    }[lock.of];
    const told =
      lock.of === 'mutex'
        ? 'The mutex notes this very thread as its owner: the handler takes it, and interrupted the same thread while it had it.'
        : 'The C library gives such locks back within microseconds, so whoever has it does not go on: the handler calls a function that is not safe there, as malloc is not, and interrupted the same thread inside of it.';
    const where = frame === null ? '' : ` in ${frameName(frame)}`;
    const [call] = thread.syscalls;
    return [
      {
        confidence: lock.of === 'mutex' ? 0.88 : 0.82,
        title: `A native handler of ${names} waits for ${what} in ${who}, which its own thread holds`,
        summary:
          `${who.charAt(0).toUpperCase()}${who.slice(1)} stood${where} at ${what} for the whole window of ${duration(seconds)}, without a time limit, and did not wake. ` +
          `It blocks ${names}, which the process handles, as a thread does while a handler for it runs. ${told} ` +
          `Not seen directly: the handler itself; a native stack shows it between the two.`,
        evidence: [
          look.quote(seen.evidenceId, lock.at),
          look.quote(seen.evidenceId, thread.at),
          ...(call === undefined ? [] : [look.quote(seen.evidenceId, call.at)]),
          ...(python === null || frame === null ? [] : [quoteFrame(look, python, frame)]),
        ],
        fixes: [
          {
            title: 'Call only what is safe in the handler',
            detail: `A handler in C may call what signal-safety(7) lists, and neither ${code('malloc')}, ${code('free')}, ${code('printf')}, ${code('syslog')} nor what uses them. Set a flag or write a byte to a pipe or an eventfd, and do the work elsewhere. Of a library (a profiler, a tracer, a crash handler): turn it off, or take a version that does not allocate there.`,
            code: 'static volatile sig_atomic_t due;\nstatic void on_signal(int number) { due = 1; }',
          },
          {
            title: 'To be sure, look at its native stack, then restart it',
            detail:
              'Between the handler and the interrupted function gdb writes `<signal handler called>`. The process stands still for that moment. Only SIGKILL ends it.',
            code: `${shellCommand(['gdb', '-p', String(look.target.pid), '-batch', '-ex', 'thread apply all bt'])}\n${shellCommand(['kill', '-KILL', String(look.target.pid)])}`,
          },
        ],
      },
    ];
  });
};
