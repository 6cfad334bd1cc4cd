import type { Look, PythonFrame } from '../model/index.ts';
import { hostLocks } from '../probes/host-locks.ts';
import { locks } from '../probes/locks.ts';
import { lsof } from '../probes/lsof.ts';
import { sample } from '../probes/sample.ts';
import { strace } from '../probes/strace.ts';
import { className, steadyInnermost, waitsForEvent } from '../reading/lock-frames.ts';
import {
  type EvidenceLine,
  FEW_WAKES,
  type FileWait,
  fileWaits,
  nappingThreads,
  wakes,
} from '../reading/lock-waits.ts';
import { pathKey } from '../reading/locks.ts';
import { type PythonThreadView, type PythonView, samplesWhere, shareWhere, threadName } from '../reading/python.ts';
import { handlerRuns, inHandler } from '../reading/signals.ts';
import { waitLimit } from '../reading/syscalls.ts';
import { code, duration } from '../reading/text.ts';
import { judgeStandstill } from './signal-handler-deadlock.events.ts';
import { ALONE, judgeShared } from './signal-handler-deadlock.shared.ts';
import {
  frameLine,
  gaveBack,
  INSIDE,
  likelyHolder,
  type Opinion,
  representative,
  type Scene,
  selfWait,
  type WantedLock,
} from './signal-handler-deadlock.stack.ts';

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

const judgeMemory = (scene: Scene, waitsFor: NonNullable<PythonThreadView['waitsFor']>): Opinion => {
  const { run, thread, view } = scene;
  const { type, address } = waitsFor;
  const lock: WantedLock = { kind: 'memory', type, through: null };
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
    return selfWait(scene, lock, { confidence: site === null ? 0.8 : 0.88, inferred: ALONE, holder: site, lines });
  }
  // Somebody may have it and give it back: then the handler would have had its turn, and woken.
  if (scene.runs.length === 1 && (wakes(scene.look, thread.tid) ?? 0) > FEW_WAKES) {
    return { kind: 'other', why: `a signal handler of ${threadName(thread)} queues for a lock that other threads use` };
  }
  const inferred = 'which thread took the lock cannot be seen; no other one was seen inside of it';
  return selfWait(scene, lock, { confidence: site === null ? 0.6 : 0.8, inferred, holder: site, lines });
};

/** The handler waits for an event or a thread: for one, perhaps, that waits for the interrupted code's lock. */
const judgeEvent = (scene: Scene): Opinion => {
  const { run, thread, view, stack } = scene;
  for (const other of view.threads) {
    const wanted = other.waitsFor;
    const usual = other.stacks[0];
    if (other === thread || wanted === null || usual === undefined || !steadyInnermost(other, usual)) continue;
    const address = wanted.address;
    const holder = run.interrupted.find((frame) => frame.holds.some((held) => held.address === address));
    if (holder === undefined || gaveBack(run, holder) || !steadyInnermost(thread, stack)) continue;
    const lock: WantedLock = { kind: 'memory', type: wanted.type, through: other };
    const inferred = `that the handler waits for ${threadName(other)} and not for something else`;
    const lines = [
      { evidenceId: other.evidenceId, at: wanted.at },
      ...(usual.frames[0] === undefined ? [] : [frameLine(other, usual.frames[0])]),
    ];
    return selfWait(scene, lock, { confidence: 0.82, inferred, holder, address, lines });
  }
  return (
    judgeStandstill(scene) ?? {
      kind: 'other',
      why: `a signal handler of ${threadName(thread)} waits for an event or a thread, not for a lock`,
    }
  );
};

const NO_LOCK_CALLS = /^(wait4|waitid|read|readv|write|writev|recv\w*|send\w*|accept4?|connect|p?poll|epoll_\w+)$/;
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

/**
 * The share of the samples with a handler on the stack. Samples that could not be read count as not, save where most could:
 * deep stacks that change while they are read, on a busy host, are torn now and then, and say nothing against the others.
 */
const shareInside = (thread: PythonThreadView): number =>
  thread.samples >= 4 && thread.missed <= thread.samples
    ? samplesWhere(thread, inHandler) / thread.samples
    : shareWhere(thread, inHandler);

/** What is to be said of one thread; null when no handler was on its stack. */
const judgeThread = (look: Look, view: PythonView, thread: PythonThreadView): Opinion | null => {
  const share = shareInside(thread);
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
    return judgeShared(scene) ?? judgeEvent(scene);
  }
  if (thread.waitsFor !== null && steadyInnermost(thread, stack)) return judgeMemory(scene, thread.waitsFor);
  return judgeShared(scene) ?? judgePolling(scene);
};

/** What is to be said of each thread that was inside a signal handler. */
export const judgeHandlers = (look: Look, view: PythonView): Opinion[] =>
  view.threads.flatMap((thread) => judgeThread(look, view, thread) ?? []);
