import type { Look, PythonFrame, PythonStack } from '../model/index.ts';
import { hostLocks } from '../probes/host-locks.ts';
import { locks } from '../probes/locks.ts';
import { lsof } from '../probes/lsof.ts';
import { sample } from '../probes/sample.ts';
import { strace } from '../probes/strace.ts';
import { type EvidenceLine, type FileWait, fileWaits, nappingThreads } from '../reading/lock-waits.ts';
import { pathKey } from '../reading/locks.ts';
import { type PythonThreadView, type PythonView, shareWhere, threadName } from '../reading/python.ts';
import { type HandlerRun, handlerRuns, inHandler } from '../reading/signals.ts';
import { waitLimit } from '../reading/syscalls.ts';
import { code, duration } from '../reading/text.ts';

/** The lock that a handler waits for. */
export type WantedLock =
  | { readonly kind: 'file'; readonly wait: FileWait }
  | { readonly kind: 'memory'; readonly type: string }
  /** A lock between processes that lives in shared memory (multiprocessing). */
  | { readonly kind: 'shared'; readonly type: string };

/** A thread whose signal handler waits for a lock that the interrupted code of the same thread has. */
export interface SelfWait {
  readonly thread: PythonThreadView;
  readonly stack: PythonStack;
  /** Innermost first. */
  readonly runs: readonly HandlerRun[];
  /** Samples in which a handler was on the stack. */
  readonly share: number;
  readonly lock: WantedLock;
  readonly confidence: number;
  /** What was not seen directly; null when all was. */
  readonly inferred: string | null;
  /** The interrupted frame that has the lock; null when it cannot be told which. */
  readonly holder: PythonFrame | null;
  readonly lines: readonly EvidenceLine[];
}

export type Opinion =
  | { readonly kind: 'self'; readonly wait: SelfWait }
  | { readonly kind: 'other'; readonly why: string }
  | { readonly kind: 'untold'; readonly why: string; readonly wants: readonly string[] };

/** A thread must have a handler on its stack in this share of the samples, or the handler comes to its end. */
const INSIDE = 0.9;

const lastName = (frame: PythonFrame): string => frame.function.slice(frame.function.lastIndexOf('.') + 1);
const className = (frame: PythonFrame): string => frame.function.slice(0, Math.max(0, frame.function.lastIndexOf('.')));
const inModule = (frame: PythonFrame, file: string): boolean => frame.file.endsWith(`/${file}`);
const sameFunction = (a: PythonFrame, b: PythonFrame): boolean =>
  a.file === b.file && a.function === b.function && a.firstLine === b.firstLine;

/** Frames in which threading waits for an event or for a thread and not for a lock (Lib/threading.py). */
const waitsForEvent = (frame: PythonFrame): boolean =>
  inModule(frame, 'threading.py') && /^(wait|join|_wait_for_tstate_lock)$/.test(lastName(frame));

/** The stack to show: of those with a handler, the one whose innermost function is the usual one and that is shortest. */
const representative = (thread: PythonThreadView): PythonStack | null => {
  const stacks = thread.stacks.filter(inHandler);
  const counts = new Map<string, number>();
  const key = (stack: PythonStack) => `${stack.frames[0]?.file}:${stack.frames[0]?.function}`;
  for (const stack of stacks) counts.set(key(stack), (counts.get(key(stack)) ?? 0) + stack.count);
  const usual = [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
  return stacks.filter((stack) => key(stack) === usual).sort((a, b) => a.frames.length - b.frames.length)[0] ?? null;
};

/** Locks that their own thread may take again, so that it never waits for them (threading.RLock, logging's handlers). */
const REENTRANT = /(^|[._])RLock$/;

/**
 * The interrupted frame that seems to have the lock: it runs through the same code as the waiting handler does, the
 * nearer to the lock the better, or is inside of a `with` of the type that the handler is about to enter.
 */
const likelyHolder = (run: HandlerRun): PythonFrame | null => {
  const inside = run.inside.filter((frame) => frame.signal === null);
  const common = inside.flatMap((frame) =>
    run.interrupted.filter((other) => other.signal === null && sameFunction(frame, other)),
  );
  const entering = inside.filter((frame) => /^(__enter__|acquire)$/.test(lastName(frame)));
  return (
    common.find((frame) => frame.holds.some((held) => !REENTRANT.test(held.type))) ??
    run.interrupted.find((frame) =>
      frame.holds.some((held) => entering.some((other) => className(other) === held.type)),
    ) ??
    common.find((frame) => !/^(__enter__|acquire)$/.test(lastName(frame))) ??
    null
  );
};

const frameLine = (thread: PythonThreadView, frame: PythonFrame): EvidenceLine => ({
  evidenceId: thread.evidenceId,
  at: frame.at,
});

interface Scene {
  readonly look: Look;
  readonly view: PythonView;
  readonly thread: PythonThreadView;
  readonly stack: PythonStack;
  readonly runs: readonly HandlerRun[];
  readonly run: HandlerRun;
  readonly share: number;
  /** Whether no other thread exists that could hold or release a lock. */
  readonly alone: boolean;
}

const selfWait = (
  scene: Scene,
  lock: WantedLock,
  found: {
    confidence: number;
    inferred?: string;
    holder: PythonFrame | null;
    /** Address of the lock, where it is known. */
    address?: string;
    lines: readonly EvidenceLine[];
  },
): Opinion => {
  const { thread, stack, runs, run, share } = scene;
  const waiting = run.inside[0] ?? run.handler;
  const shown = found.holder ?? run.interrupted[0];
  const frames = [waiting, run.handler, ...(shown === undefined ? [] : [shown])];
  // The lines that say what a frame holds stand right below it.
  const which = found.holder?.holds.findIndex((each) =>
    found.address === undefined ? !REENTRANT.test(each.type) : each.address === found.address,
  );
  const held = found.holder?.holds.length
    ? [{ evidenceId: thread.evidenceId, at: found.holder.at + 1 + Math.max(0, which ?? 0) }]
    : [];
  return {
    kind: 'self',
    wait: {
      thread,
      stack,
      runs,
      share,
      lock,
      confidence: found.confidence,
      inferred: found.inferred ?? null,
      holder: found.holder,
      lines: [...frames.map((frame) => frameLine(thread, frame)), ...held, ...found.lines],
    },
  };
};

const hasOpen = (look: Look, path: string | null): EvidenceLine | null => {
  const open = look.see(lsof);
  if (!open.seen || path === null) return null;
  const file = open.data.files.find((each) => /^\d/.test(each.fd) && pathKey(each.name) === path);
  return file === undefined ? null : { evidenceId: open.evidenceId, at: file.at };
};

/** A lock file that must not exist: the kernel does not know who made it, so who has it can only be inferred. */
const judgeMadeFile = (scene: Scene, wait: FileWait): Opinion => {
  const { run } = scene;
  const holder = likelyHolder(run);
  const open = hasOpen(scene.look, wait.path);
  if (open !== null) {
    return selfWait(scene, { kind: 'file', wait }, { confidence: 0.92, holder, lines: [...wait.lines, open] });
  }
  const inferred =
    'the kernel does not record who made a lock file, so that this process made it is inferred from its stack';
  const near = run.interrupted.some(
    (frame) =>
      run.inside.some(
        (other) => other !== run.handler && className(other) !== '' && className(other) === className(frame),
      ) || run.inside.slice(0, -1).some((other) => other.file === frame.file),
  );
  const confidence = holder !== null ? 0.8 : near ? 0.65 : 0.55;
  return selfWait(scene, { kind: 'file', wait }, { confidence, inferred, holder, lines: wait.lines });
};

const judgeFile = (scene: Scene, wait: FileWait): Opinion => {
  const { look, run } = scene;
  if (wait.kind === 'file') return judgeMadeFile(scene, wait);
  const pid = look.target.pid;
  const own = wait.holders.find((lock) => lock.pid === pid);
  const other = wait.holders.find((lock) => lock.pid !== pid);
  const locked = look.see(locks);
  const where = wait.path === null ? 'a file lock' : `the lock on ${code(wait.path)}`;
  if (own === undefined && (other !== undefined || locked.seen)) {
    const who = other === undefined ? 'this process does not hold it' : `process ${other.pid} holds it`;
    return { kind: 'other', why: `a signal handler waits for ${where}, but ${who}` };
  }
  const holder = likelyHolder(run);
  if (own === undefined || !locked.seen) {
    const why = `a signal handler waits for ${where}, and who holds it could not be seen`;
    if (holder === null) return { kind: 'untold', why, wants: [] };
    const inferred = 'who holds the lock could not be seen; the interrupted code runs through the same function';
    return selfWait(scene, { kind: 'file', wait }, { confidence: 0.6, inferred, holder, lines: wait.lines });
  }
  const lines = [...wait.lines, own];
  if (scene.alone || holder !== null) {
    return selfWait(scene, { kind: 'file', wait }, { confidence: scene.alone ? 0.97 : 0.93, holder, lines });
  }
  const inferred = 'this process holds the lock, but which of its threads took it is inferred';
  return selfWait(scene, { kind: 'file', wait }, { confidence: 0.8, inferred, holder, lines });
};

const steadyInnermost = (thread: PythonThreadView, stack: PythonStack): boolean => {
  const inner = stack.frames[0];
  const same = (other: PythonStack) =>
    inner !== undefined &&
    other.frames[0] !== undefined &&
    sameFunction(other.frames[0], inner) &&
    other.frames[0].line === inner.line;
  return shareWhere(thread, same) >= INSIDE;
};

/** Whether Condition.wait stands between the frame and the handler: it gives the lock back while it waits. */
const gaveBack = (run: HandlerRun, holder: PythonFrame): boolean =>
  run.interrupted.slice(0, run.interrupted.indexOf(holder)).some(waitsForEvent);

const judgeMemory = (scene: Scene, waitsFor: NonNullable<PythonThreadView['waitsFor']>): Opinion => {
  const { run, thread, view } = scene;
  const { type, address } = waitsFor;
  const lock = { kind: 'memory', type } as const;
  const lines = [{ evidenceId: thread.evidenceId, at: waitsFor.at }];
  const has = (frame: PythonFrame) => frame.holds.some((held) => held.address === address);
  const holder = run.interrupted.find(has);
  if (holder !== undefined && !gaveBack(run, holder)) {
    return selfWait(scene, lock, { confidence: 0.97, holder, address, lines });
  }
  const other = view.threads.find((each) => each !== thread && each.stacks[0]?.frames.some(has));
  if (other !== undefined) {
    return {
      kind: 'other',
      why: `a signal handler of ${threadName(thread)} waits for a lock that ${threadName(other)} holds`,
    };
  }
  const site = likelyHolder(run);
  if (scene.alone) {
    const inferred =
      'which frame took the lock cannot be seen, but there is no other thread that could hold it or give it back';
    return selfWait(scene, lock, { confidence: site === null ? 0.8 : 0.88, inferred, holder: site, lines });
  }
  const inferred = 'which thread took the lock cannot be seen; no other one was seen inside of it';
  return selfWait(scene, lock, { confidence: site === null ? 0.6 : 0.8, inferred, holder: site, lines });
};

const NO_LOCK_CALLS = /^(wait4|waitid|read|readv|write|writev|recv\w*|send\w*|accept4?|connect|p?poll|epoll_\w+)$/;
const HOLDABLE = /(^|\.)(Lock|RLock|Semaphore|BoundedSemaphore|Condition|SemLock)$/;

/** Locks whose address is not readable: multiprocessing's, and semaphores of threading. */
const judgeShared = (scene: Scene): Opinion | null => {
  const { run, thread, look, stack } = scene;
  const module = run.inside.some((frame) => inModule(frame, 'multiprocessing/synchronize.py'));
  const semaphore = run.inside.find(
    (frame) => inModule(frame, 'threading.py') && /^(acquire|__enter__)$/.test(lastName(frame)),
  );
  if ((!module && semaphore === undefined) || !steadyInnermost(thread, stack)) return null;
  const sampled = look.see(sample);
  const waits = sampled.seen ? sampled.data.threads.find((each) => each.tid === thread.tid) : undefined;
  const call = waits?.syscalls.find((each) => each.name.startsWith('futex') && each.count >= INSIDE * waits.samples);
  const holder = run.interrupted.find((frame) => frame.holds.some((held) => HOLDABLE.test(held.type)));
  if (!sampled.seen || call === undefined || holder === undefined) return null;
  const type = holder.holds.find((held) => HOLDABLE.test(held.type))?.type ?? 'Lock';
  const inferred = `the handler waits for a lock of this kind (\`${type}\`) and the interrupted code has one; that both are the same one is inferred`;
  const lines = [{ evidenceId: sampled.evidenceId, at: call.at }];
  return selfWait(scene, { kind: 'shared', type }, { confidence: 0.78, inferred, holder, lines });
};

/** It sleeps and wakes inside the handler: only a trace tells what it tries. */
const judgePolling = (scene: Scene): Opinion => {
  const { look, thread } = scene;
  const traced = look.see(strace);
  const pid = look.target.pid;
  const who = threadName(thread);
  if (traced.seen) {
    const seconds = duration(traced.data.detail.seconds);
    return {
      kind: 'other',
      why: `a signal handler of ${who} was running the whole time, but tried to get no lock in ${seconds} of trace`,
    };
  }
  const sampled = look.see(sample);
  const calls = sampled.seen ? sampled.data.threads.find((each) => each.tid === (thread.tid ?? pid)) : undefined;
  const call = calls?.syscalls.find((each) => each.count >= INSIDE * calls.samples);
  // Not for a lock: for a child, for bytes, for a descriptor.
  if (call !== undefined && NO_LOCK_CALLS.test(call.name) && waitLimit(call.name, call.args) !== 'some') {
    return { kind: 'other', why: `a signal handler of ${who} waits in ${call.name}, not for a lock` };
  }
  const naps = nappingThreads(look).includes(thread.tid ?? pid);
  const open = traced.reason === 'not-run' || traced.reason === 'not-needed';
  const why = naps
    ? `a signal handler of ${who} sleeps and wakes again and again; whether it tries to get a lock is seen only in a trace (${traced.why})`
    : `a signal handler of ${who} was on the stack the whole time, and what it waits for could not be seen`;
  if (naps || open) return { kind: 'untold', why, wants: [strace.id, hostLocks.id] };
  return {
    kind: 'other',
    why: `a signal handler of ${who} was running the whole time, but was seen to wait for no lock`,
  };
};

/** What is to be said of one thread; null when no handler was on its stack. */
const judgeThread = (look: Look, view: PythonView, thread: PythonThreadView): Opinion | null => {
  const share = shareWhere(thread, inHandler);
  const stack = representative(thread);
  if (stack === null) return null;
  const runs = handlerRuns(stack);
  const [run] = runs;
  if (run === undefined) return null;
  if (share < INSIDE)
    return { kind: 'other', why: `${threadName(thread)} runs a signal handler now and then, and it returns` };
  const sampled = look.see(sample);
  const alone = view.threads.length === 1 && (!sampled.seen || sampled.data.threads.length === 1);
  const scene: Scene = { look, view, thread, stack, runs, run, share, alone };
  const tid = thread.tid ?? (alone ? look.target.pid : -1);
  const waits = fileWaits(look).filter((wait) => wait.tid === tid);
  const opinions = waits.map((wait) => judgeFile(scene, wait));
  const best = opinions.find((each) => each.kind === 'self') ?? opinions[0];
  if (best !== undefined) return best;
  const inner = stack.frames[0];
  if (inner !== undefined && waitsForEvent(inner)) {
    return (
      judgeShared(scene) ?? {
        kind: 'other',
        why: `a signal handler of ${threadName(thread)} waits for an event or a thread, not for a lock`,
      }
    );
  }
  if (thread.waitsFor !== null && steadyInnermost(thread, stack)) return judgeMemory(scene, thread.waitsFor);
  return judgeShared(scene) ?? judgePolling(scene);
};

/** What is to be said of each thread that was inside a signal handler. */
export const judgeHandlers = (look: Look, view: PythonView): Opinion[] =>
  view.threads.flatMap((thread) => judgeThread(look, view, thread) ?? []);
