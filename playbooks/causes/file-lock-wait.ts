import { defineCause, type FindingDraft, type Look, type PythonStack, type Verdict } from '../model/index.ts';
import { hostLocks } from '../probes/host-locks.ts';
import { sample } from '../probes/sample.ts';
import { strace } from '../probes/strace.ts';
import { type EvidenceLine, type FileWait, fileWaits, nappingThreads } from '../reading/lock-waits.ts';
import {
  frameName,
  ownFrame,
  type PythonThreadView,
  pythonThreads,
  shareWhere,
  threadName,
  threadOf,
} from '../reading/python.ts';
import { handlerRuns, inHandler, signalName } from '../reading/signals.ts';
import { sqliteOf } from '../reading/sqlite.ts';
import { code, count, duration, list } from '../reading/text.ts';
import { heldForChild } from './file-lock-wait.held.ts';
import { makerFix, makerOf, makerWords, mayPoll } from './file-lock-wait.makers.ts';
import { effort, holderFixes, holderWords, madeFileFixes, place, waiterFix } from './file-lock-wait.texts.ts';

/** How sure it is; a lock that went on to another holder meanwhile is in use, and only the queue for it is long. */
const confidenceOf = (
  wait: FileWait,
  is: { named: boolean; self: boolean; alone: boolean; made: 'both' | 'one' | null },
): number => {
  if (wait.later === 'moved') return 0.35;
  if (wait.stuck === 'no') return 0.45;
  if (wait.stuck !== 'yes') return 0.75;
  if (is.named) return wait.how === 'polled' || wait.later === 'same' ? 0.95 : 0.88;
  if (is.self) return is.alone ? 0.85 : 0.6;
  if (is.made !== null) return is.made === 'both' ? 0.93 : 0.88;
  return wait.kind === 'file' ? 0.7 : 0.65;
};

const LATER = {
  same: ' A second look at the locks, after the window, shows the same holder.',
  moved:
    ' A second look at the locks, after the window, shows another holder: the lock is handed on, and the wait is a queue.',
} as const;

const draftOf = (look: Look, wait: FileWait): FindingDraft => {
  const pid = look.target.pid;
  const view = pythonThreads(look);
  const thread = threadOf(view, wait.tid);
  const who = thread === null ? (wait.tid === pid ? 'The main thread' : `Thread ${wait.tid}`) : threadName(thread);
  const stack = thread?.stacks[0];
  const own = stack === undefined ? null : ownFrame(stack);
  const inner = stack?.frames[0];
  const run = stack === undefined ? undefined : handlerRuns(stack)[0];
  const others = wait.holders.filter((each) => each.pid !== pid);
  const self = wait.holders.some((each) => each.pid === pid) && others.length === 0;
  const sampled = look.see(sample);
  const alone = sampled.seen && sampled.data.threads.length === 1;
  const maker = makerOf(look, wait);
  const queue = wait.waiters.filter((each) => each.pid !== pid);
  const frames: EvidenceLine[] =
    thread === null || inner === undefined
      ? []
      : [inner, ...(own === null || own === inner ? [] : [own])].map((frame) => ({
          evidenceId: thread.evidenceId,
          at: frame.at,
        }));
  const lines = [
    ...wait.lines,
    ...(maker === null ? [] : [maker]),
    ...wait.holders.filter((each) => self || each.pid !== pid).slice(0, 2),
    ...frames,
  ];
  const holder =
    others.length > 0
      ? `The kernel names its holder: ${list(others.slice(0, 3).map((each) => holderWords(look, each)))}.`
      : self
        ? `It is held by this very process, through another descriptor: flock knows descriptors and not processes${alone ? ', so it waits for itself' : ''}.${alone ? '' : ' Another of its threads may have it and give it back; which one is not seen directly.'}`
        : maker !== null
          ? makerWords(maker)
          : wait.kind === 'file'
            ? 'Who made it cannot be seen: the kernel keeps no record of lock files.'
            : 'Who holds it could not be seen.';
  const confidence = confidenceOf(wait, {
    named: others.length > 0,
    self,
    alone,
    made: maker === null ? null : maker.both ? 'both' : 'one',
  });
  const title =
    others[0] !== undefined
      ? `Waits for ${place(wait)}, which process ${others[0].pid}${others[0].comm === null ? '' : ` (${code(others[0].comm, 40)})`} holds`
      : self
        ? `Waits for ${place(wait)}, which it holds itself through another descriptor`
        : maker !== null
          ? `Waits for ${place(wait)}, ${maker.lives ? `which is process ${maker.file.pid}’s` : `which process ${maker.file.pid} left behind`}`
          : wait.kind === 'file'
            ? `Waits for ${place(wait)} to go away`
            : `Waits for ${place(wait)}, which somebody else holds`;
  return {
    confidence,
    title,
    summary:
      `${who.charAt(0).toUpperCase()}${who.slice(1)} wants ${place(wait)}${own === null ? '' : ` in ${frameName(own)}`}. ${effort(look, wait)} ${holder}${wait.later === null || self ? '' : LATER[wait.later]}` +
      `${run === undefined ? '' : ` It does so inside the handler of ${signalName(run.signal)}, ${frameName(run.handler)}; a handler should take no lock, because it may interrupt code that has it.`}` +
      `${queue.length === 0 ? '' : ` ${count(queue.length, 'other process', 'other processes')} ${queue.length === 1 ? 'waits' : 'wait'} for it too.`}` +
      `${
        wait.stuck === 'yes'
          ? ''
          : wait.stuck === 'no'
            ? ' It was woken in between, and not by signals, so the lock was handed on meanwhile: a queue, perhaps, and no standstill.'
            : ' Not seen directly: that it waited for one and the same holder; it was woken in between.'
      }` +
      `${others.length > 0 || self ? '' : maker === null ? ' That one link, who has it, is missing.' : maker.both ? '' : maker.file.how === 'open' ? ' Inferred: that who has it open made it.' : ' Inferred: that the number in it is its maker’s pid.'}`,
    evidence: lines.slice(0, 6).map((line) => look.quote(line.evidenceId, line.at)),
    fixes: [
      ...(maker !== null
        ? [makerFix(wait, maker)]
        : wait.kind === 'file'
          ? madeFileFixes(wait)
          : holderFixes(look, wait, others)),
      waiterFix(look, wait, thread),
    ],
    ...(maker?.lives ? { related: [{ pid: maker.file.pid, why: `it made ${code(maker.file.path)}` }] } : {}),
    ...(others.length === 0
      ? {}
      : {
          related: others
            .slice(0, 4)
            .map((each) => ({ pid: each.pid, why: `it holds ${wait.path === null ? 'the lock' : code(wait.path)}` })),
        }),
  };
};

/** Whether the thread keeps at it: its innermost function is the same throughout, however deep handlers are stacked. */
const keepsAtIt = (thread: PythonThreadView): boolean => {
  const key = (stack: PythonStack) => `${stack.frames[0]?.file}\0${stack.frames[0]?.function}`;
  return thread.stacks.some((stack) => shareWhere(thread, (other) => key(other) === key(stack)) >= 0.8);
};

/** Waits that are this cause's: not those of a signal handler for its own thread's lock, nor those for a database. */
const ownWaits = (look: Look): FileWait[] => {
  const view = pythonThreads(look);
  const once = new Set<string>();
  return fileWaits(look).filter((wait) => {
    if (sqliteOf(look, wait) !== null) return false;
    const thread = threadOf(view, wait.tid);
    const handled = thread?.stacks.some(inHandler) ?? false;
    const self = wait.holders.some((each) => each.pid === look.target.pid);
    if (handled && (self || wait.kind === 'file')) return false;
    if (wait.kind === 'file' && thread !== null && !keepsAtIt(thread)) return false;
    const key = `${wait.kind} ${wait.path ?? wait.tid}`;
    if (once.has(key)) return false;
    once.add(key);
    return true;
  });
};

const judge = (look: Look): Verdict => {
  const waits = ownWaits(look);
  const held = heldForChild(look);
  const findings = [...waits.map((wait) => draftOf(look, wait)), ...(held === null ? [] : [held])];
  if (findings.length > 0) {
    const unsure = waits.some((wait) => wait.stuck === 'unknown');
    return {
      verdict: 'fires',
      findings: findings.toSorted((a, b) => b.confidence - a.confidence),
      wants: waits.length === 0 ? [] : [hostLocks.id, ...(unsure ? [strace.id] : [])],
    };
  }
  const traced = look.see(strace);
  const self = fileWaits(look).find((wait) => wait.holders.some((each) => each.pid === look.target.pid));
  if (self !== undefined) {
    return {
      verdict: 'clear',
      why: `no other process holds ${place(self)}: this one does, and its signal handler waits for it`,
    };
  }
  if (traced.seen) {
    return {
      verdict: 'clear',
      why: `no thread was refused a file lock again and again in ${duration(traced.data.detail.seconds)} of trace`,
    };
  }
  const view = pythonThreads(look);
  const napping = nappingThreads(look).filter((tid) => {
    const thread = threadOf(view, tid);
    return (thread === null || keepsAtIt(thread)) && mayPoll(look, thread);
  });
  if (napping.length > 0) {
    const who = napping.length === 1 ? 'one thread sleeps and wakes' : `${napping.length} threads sleep and wake`;
    return {
      verdict: 'cannot-tell',
      why: `${who} again and again; whether that is polling for a lock is seen only in a trace (${traced.why})`,
      wants: ['strace', hostLocks.id],
    };
  }
  return { verdict: 'clear', why: 'no thread was blocked in a call that waits for a file lock' };
};

/** A thread that waits all the time for a file lock that another live process holds. */
export const fileLockWait = defineCause({
  id: 'file-lock-wait',
  title: 'A thread waits for a file lock that another process holds',
  needs: [sample],
  // Who waits for a lock, in its handler or elsewhere, does not end when it is asked to.
  explains: ['signal-storm'],
  judge,
});
