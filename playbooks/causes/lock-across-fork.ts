import { defineCause, type FindingDraft, type Fix, type Look, type Verdict } from '../model/index.ts';
import { pyStacks } from '../probes/py-stacks.ts';
import { sample } from '../probes/sample.ts';
import { type Forked, forkedFrom } from '../reading/forked.ts';
import { type MemoryWait, memoryWaits } from '../reading/lock-frames.ts';
import { FEW_WAKES, wakes } from '../reading/lock-waits.ts';
import { frameName, ownFrame, type PythonView, pythonThreads, threadName } from '../reading/python.ts';
import { inHandler } from '../reading/signals.ts';
import { code, shellCommand } from '../reading/text.ts';
import { nativeAcrossFork } from './lock-across-fork.native.ts';

/** Locks that know their owner: one that is held by no thread of this process was held by one of the parent's. */
const KNOWS_OWNER = /(^|[._])RLock$/;

const confidenceOf = (look: Look, view: PythonView, forked: Forked, wait: MemoryWait): number => {
  if (KNOWS_OWNER.test(wait.type) && wakes(look, wait.thread.tid) !== null) return forked.by === 'stack' ? 0.93 : 0.9;
  const sampled = look.see(sample);
  const alone = view.threads.length === 1 && (!sampled.seen || sampled.data.threads.length === 1);
  if (!alone) return 0.6;
  return forked.by === 'stack' ? 0.85 : 0.8;
};

const inferredOf = (wait: MemoryWait, confidence: number): string => {
  if (confidence >= 0.9) return '';
  return KNOWS_OWNER.test(wait.type)
    ? ' Not seen directly: that the thread never had its turn; it was not sampled.'
    : ' Not seen directly: that a thread of the parent had the lock when it forked; a plain lock does not know who took it, but no thread of this process is seen to have it.';
};

const fixesOf = (look: Look, forked: Forked, wait: MemoryWait): Fix[] => {
  const pid = look.target.pid;
  const place = ownFrame(wait.stack);
  const where = place === null ? 'the code that waits' : frameName(place);
  return [
    {
      title: 'Fork before threads are started, or do not fork at all',
      detail:
        'fork(2) copies only the thread that calls it. A lock that another thread has at that moment stays locked in the copy for good, because its owner is not copied. ' +
        `Start threads after the workers have been forked, or start workers by ${code('spawn')} or ${code('forkserver')}.`,
      code: "import multiprocessing\n\ncontext = multiprocessing.get_context('forkserver')   # or 'spawn'\nworker = context.Process(target=work, args=(...))",
    },
    {
      title: 'Make the lock anew in the child',
      detail:
        `Where forking must stay, the owner of the lock that ${where} takes has to replace it in every child, as ${code('logging')} does for its own since Python 3.7.1. ` +
        'Between fork and exec there is to be no logging, no queue and no print.',
      code: 'import os, threading\n\nclass Registry:\n    def __init__(self):\n        self.lock = threading.RLock()\n        os.register_at_fork(after_in_child=self._after_fork)\n\n    def _after_fork(self):\n        self.lock = threading.RLock()',
    },
    {
      title: `To get rid of it now: SIGKILL to process ${pid}`,
      detail: `The worker never goes on. Its parent, process ${forked.parent.pid}, can fork another one, which may meet the same fate.`,
      code: shellCommand(['kill', '-KILL', String(pid)]),
    },
  ];
};

const draftOf = (look: Look, view: PythonView, forked: Forked, wait: MemoryWait): FindingDraft => {
  const inner = wait.stack.frames[0];
  const place = ownFrame(wait.stack);
  const confidence = confidenceOf(look, view, forked, wait);
  const owner = KNOWS_OWNER.test(wait.type)
    ? 'The lock names an owner, and that is no thread of this process'
    : 'No thread of this process has it';
  const through = inner !== undefined && place !== null && inner !== place ? `, through ${code(inner.function)}` : '';
  const fork = view.threads
    .flatMap((thread) => thread.stacks[0]?.frames ?? [])
    .find((frame) => /\/multiprocessing\/(popen_fork|forking)\.py$/.test(frame.file));
  const how =
    forked.by === 'stack'
      ? 'it was forked, as its stack shows'
      : 'it has the command line of its parent, so it was forked and has not called exec since';
  const lines = [
    { evidenceId: wait.thread.evidenceId, at: wait.at },
    // The lock's own method, who called it, and the program's code.
    ...[...new Set([...wait.stack.frames.slice(0, 2), ...(place === null ? [] : [place])])].map((frame) => ({
      evidenceId: wait.thread.evidenceId,
      at: frame.at,
    })),
    ...(fork === undefined ? [] : [{ evidenceId: wait.thread.evidenceId, at: fork.at }]),
    { evidenceId: forked.evidenceId, at: forked.parent.at },
  ];
  return {
    confidence,
    title: `A forked worker waits for a lock that stayed behind in its parent: ${place === null ? code(wait.type) : frameName(place)}`,
    summary:
      `${threadName(wait.thread).replace(/^./, (letter) => letter.toUpperCase())} waits in ${place === null ? 'its innermost frame' : frameName(place)}${through} for a ${code(wait.type)} (${wait.address}) in every sample. ${owner}; ${how}. ` +
      `Process ${forked.parent.pid} (${code(forked.parent.command, 100)}) forked it while one of its own threads was inside of that lock; that thread was not copied, so nobody can give the lock back here.` +
      inferredOf(wait, confidence),
    evidence: lines.map((line) => look.quote(line.evidenceId, line.at)),
    fixes: fixesOf(look, forked, wait),
    related: [{ pid: forked.parent.pid, why: 'it forked this process while one of its threads had the lock' }],
  };
};

const judge = (look: Look): Verdict => {
  const view = pythonThreads(look);
  if (view === null) return { verdict: 'cannot-tell', why: 'the Python stacks of no thread could be read' };
  const native = nativeAcrossFork(look, view);
  if (native !== null) return { verdict: 'fires', findings: [native] };
  // One that wakes has its turns: the lock was free just then, and not left behind.
  const waits = memoryWaits(view).filter(
    (wait) => wait.holder === null && !inHandler(wait.stack) && (wakes(look, wait.thread.tid) ?? 0) <= FEW_WAKES,
  );
  if (waits.length === 0)
    return { verdict: 'clear', why: 'no thread waited for a lock that no thread of this process has' };
  const forked = forkedFrom(look, view);
  if (forked === null) {
    return {
      verdict: 'clear',
      why: 'a thread waits for a lock whose holder cannot be seen, but nothing says that the process was forked',
    };
  }
  const findings = waits
    .map((wait) => draftOf(look, view, forked, wait))
    .toSorted((a, b) => b.confidence - a.confidence);
  return { verdict: 'fires', findings: findings.slice(0, 1) };
};

/** A forked child that waits for a lock which a thread of its parent had when it forked. */
export const lockAcrossFork = defineCause({
  id: 'lock-across-fork',
  title: 'A forked process waits for a lock whose owner exists only in its parent',
  needs: [pyStacks],
  explains: ['event-loop-blocked', 'signal-storm', 'thread-deadlock', 'waiting-forever'],
  judge,
});
