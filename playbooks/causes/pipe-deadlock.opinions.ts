import type { Look } from '../model/index.ts';
import type { RelativeProcess } from '../probes/children.ts';
import { strace } from '../probes/strace.ts';
import { inModule, lastName } from '../reading/lock-frames.ts';
import { ownThreads } from '../reading/lock-waits.ts';
import { caughtSignals, type Family, type ProcessWait } from '../reading/processes.ts';
import { isLibraryFile, pythonThreads, shareWhere, threadOf } from '../reading/python.ts';
import { isChildWait, isReadiness, isReceive, splitArguments, waitLimit } from '../reading/syscalls.ts';
import { code } from '../reading/text.ts';
import { turnsOf } from '../reading/turns.ts';

/** What is believed of the target. */
export interface Opinion {
  /** The waits that close the ring, the target's own first; or the writer's alone, when its reader is not seen to wait. */
  readonly ring: readonly ProcessWait[];
  /** The wait of the one that writes into a full pipe; null when all only read. */
  readonly writer: ProcessWait | null;
  /** Who has the other end of that pipe and does not read. */
  readonly reader: RelativeProcess;
  readonly confidence: number;
  /** What was not seen directly; null when all was. */
  readonly inferred: string | null;
  /** How the reader waits, where that is not one of the ring's waits. */
  readonly waiting: string | null;
}

/** Share of the samples in which a thread must be inside a wait to be said to wait. */
const WAITING = 0.9;

/** Threads that stand in a write to a pipe or socket pair. */
export const stalledWriters = (family: Family): ProcessWait[] => family.waits.filter((wait) => wait.kind === 'writes');

/** Whether a trace of the target shows it reading the pipe or socket; false without a trace. */
export const readsChannel = (look: Look, channel: string | null): boolean => {
  const traced = look.see(strace);
  if (!traced.seen || channel === null) return false;
  const own = ownThreads(look);
  return traced.data.detail.calls.some(
    (call) =>
      own.has(call.tid) &&
      isReceive(call.name) &&
      (splitArguments(call.args)[0] ?? '').includes(channel) &&
      call.result !== null &&
      call.result !== '-1',
  );
};

/** Whether the process sleeps the whole window in a wait for descriptors, without a limit: its loop has nothing to do. */
const loopSleeps = (process: RelativeProcess): boolean =>
  process.threads.length === process.threadCount &&
  process.threads.every(
    (thread) =>
      thread.same &&
      thread.woke === 0 &&
      (!isReadiness(thread.syscall) || waitLimit(thread.syscall, thread.args) !== 'now'),
  );

/**
 * Whether the program's own code waits there: the main thread, or one with a frame of the program. asyncio has threads of the
 * library's that wait for children (ThreadedChildWatcher), while the loop may read their output.
 */
const waitsItself = (look: Look, family: Family, wait: ProcessWait): boolean => {
  if (wait.thread.tid === wait.process.pid) return true;
  if (wait.process !== family.target) return false;
  const thread = threadOf(pythonThreads(look), wait.thread.tid);
  return thread?.stacks[0]?.frames.some((frame) => !isLibraryFile(frame.file)) ?? false;
};

/** Whether a task awaits a child's end at both looks (asyncio/subprocess.py, Process.wait), and no task a stream. */
const awaitsChild = (look: Look): boolean => {
  const turns = turnsOf(look);
  const within = (file: RegExp, name: RegExp) =>
    turns.some(
      ({ state, still, limitSeconds, stack }) =>
        state === 'waiting' &&
        still > 0 &&
        (limitSeconds ?? Number.POSITIVE_INFINITY) > 60 &&
        stack.frames.some((each) => file.test(each.file) && name.test(lastName(each))),
    );
  return (
    within(/\/asyncio\/subprocess\.py$/, /^wait$/) &&
    !within(/\/asyncio\/streams\.py$/, /^(?:read|readexactly|readuntil|readline)$/)
  );
};

/**
 * What a ring of waits means. `stuck`: nobody outside can help. Null when it is not this cause's: rings in which all only
 * read, among processes that one program forked, wait for work and not for each other.
 */
export const ringOpinion = (
  look: Look,
  family: Family,
  ring: readonly ProcessWait[],
  stuck: boolean,
): Opinion | null => {
  const writer = ring.find((wait) => wait.kind === 'writes') ?? null;
  if (writer !== null) {
    const after = ring[(ring.indexOf(writer) + 1) % ring.length] ?? writer;
    const reader = after.process;
    if (stuck) return { ring, writer, reader, confidence: 0.95, inferred: null, waiting: null };
    const main = waitsItself(look, family, after);
    const idle = loopSleeps(reader);
    const awaited = reader === family.target && awaitsChild(look);
    const confidence = main ? 0.78 : idle ? (awaited ? 0.85 : 0.65) : awaited ? 0.7 : 0.4;
    const inferred = main
      ? 'that none of the other threads, or of the others who have an end of the pipe, is going to read it'
      : 'that the other threads of the reader, which wait for something else, are never going to read';
    return { ring, writer, reader, confidence, inferred, waiting: null };
  }
  const channels = new Set(ring.flatMap((wait) => wait.channel ?? []));
  const executed = ring.some((wait) => wait.process !== family.target && wait.process.origin === 'executed');
  const parentWaits = ring.some((wait) => wait.kind === 'child');
  const [first] = ring;
  if (!stuck || first === undefined || !executed || channels.size === 0 || (!parentWaits && channels.size < 2))
    return null;
  const signals = ring.some((wait) => caughtSignals(wait.process, 'ending').length > 0);
  const reading = ring.find((wait) => wait.kind === 'reads') ?? first;
  return {
    ring,
    writer: null,
    reader: reading.process,
    confidence: parentWaits ? 0.92 : signals ? 0.45 : 0.85,
    inferred: parentWaits
      ? null
      : signals
        ? 'that no signal, for which one of them has a handler, makes it go on'
        : 'that what one of them meant to write stayed in its buffer, or was never written',
    waiting: null,
  };
};

/** Times that a trace shows the target asking for this child's end without waiting (wait4 or waitid with WNOHANG). */
const polls = (look: Look): number => {
  const traced = look.see(strace);
  if (!traced.seen) return 0;
  const own = ownThreads(look);
  return traced.data.detail.calls.filter(
    (call) => own.has(call.tid) && isChildWait(call.name) && call.args.includes('WNOHANG') && call.result === '0',
  ).length;
};

/** The library's function that waits for a child with a time limit, in which the thread was throughout. */
const libraryWait = (look: Look): string | null => {
  const view = pythonThreads(look);
  const main = threadOf(view, look.target.pid) ?? view?.threads[0] ?? null;
  if (main === null) return null;
  const waits = (frames: (typeof main.stacks)[number]['frames']): boolean =>
    frames.some(
      (frame) =>
        (inModule(frame, 'subprocess.py') && /^(wait|_wait)$/.test(lastName(frame))) ||
        (inModule(frame, 'multiprocessing/popen_fork.py') && lastName(frame) === 'wait'),
    );
  return shareWhere(main, (stack) => waits(stack.frames)) >= WAITING ? code('wait()') : null;
};

/** A child of the target that stands in a write which only the target could read, while the target asks for its end. */
export const expecting = (look: Look, family: Family): Opinion | null => {
  const { target } = family;
  const writer = stalledWriters(family).find(
    (wait) => wait.process !== target && wait.on.includes(target) && wait.process.relation === 'descendant',
  );
  if (writer === undefined) return asWriter(family);
  if (readsChannel(look, writer.channel)) return null;
  const opinion = (confidence: number, inferred: string | null, waiting: string): Opinion => ({
    ring: [writer],
    writer,
    reader: target,
    confidence,
    inferred,
    waiting,
  });
  const asked = polls(look);
  const through = libraryWait(look);
  if (asked >= 2)
    return opinion(
      0.92,
      null,
      `This process asks for its end without waiting (${asked} times during the trace) and reads nothing from the pipe.`,
    );
  if (through !== null)
    return opinion(
      0.85,
      'that no other thread is going to read the pipe',
      `This process is inside of the library's ${through} for the child, with a time limit.`,
    );
  if (awaitsChild(look))
    return opinion(
      loopSleeps(target) ? 0.85 : 0.7,
      'that no other task is going to read the pipe',
      'A task of this process awaits the end of a child through `wait()`, and none reads a stream.',
    );
  if (
    pythonThreads(look) !== null &&
    loopSleeps(target) &&
    target.threads.some((thread) => isReadiness(thread.syscall))
  )
    return opinion(
      target.pidfds.length > 0 ? 0.68 : 0.6,
      'that its loop has stopped reading the pipe for good; it sleeps, though the pipe is full',
      'This process did not wake once: its loop sleeps, which it would not if it watched the pipe.',
    );
  if (target.threads.every((thread) => thread.syscall !== 'running' && (thread.woke ?? 0) < 60 * family.data.seconds))
    return opinion(
      0.4,
      'whether this process reads the pipe later, at its own pace',
      'This process did other things meanwhile.',
    );
  return null;
};

/** The target itself stands in a write, and its parent reads nothing; what the parent does instead is not clear. */
const asWriter = (family: Family): Opinion | null => {
  const { target } = family;
  const own = stalledWriters(family).find((wait) => wait.process === target);
  const parent = own?.on.find((each) => each.relation === 'parent');
  if (own === undefined || parent === undefined) return null;
  return {
    ring: [own],
    writer: own,
    reader: parent,
    confidence: 0.4,
    inferred: 'whether the reader takes more later, at its own pace',
    waiting: null,
  };
};
