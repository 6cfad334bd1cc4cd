import type { FindingDraft, Look } from '../model/index.ts';
import { children } from '../probes/children.ts';
import { sample } from '../probes/sample.ts';
import { FEW_WAKES } from '../reading/lock-waits.ts';
import { frameName, ownFrame, type PythonView, threadName, threadOf } from '../reading/python.ts';
import { code, shellCommand } from '../reading/text.ts';

/**
 * A forked child that waits for a native lock (a pthread mutex) that notes a thread of the parent as its owner: that thread had it when
 * the parent forked, and was not copied. Null when there is none.
 */
export const nativeAcrossFork = (look: Look, view: PythonView): FindingDraft | null => {
  const [sampled, family] = [look.see(sample), look.see(children)];
  if (!sampled.seen || !family.seen) return null;
  const target = family.data.processes.find((each) => each.relation === 'target');
  const parent = family.data.processes.find((each) => each.relation === 'parent');
  if (target?.origin !== 'forked' || parent === undefined) return null;
  const { threads } = sampled.data;
  const waiter = threads.find(
    (thread) =>
      thread.mutex !== undefined &&
      (thread.voluntarySwitches ?? 0) <= FEW_WAKES &&
      !threads.some((each) => each.tid === thread.mutex?.ownerTid),
  );
  if (waiter?.mutex === undefined) return null;
  const { address, ownerTid, at } = waiter.mutex;
  const python = threadOf(view, waiter.tid);
  const stack = python?.stacks[0];
  const place = stack === undefined ? null : ownFrame(stack);
  const who = threadName(python ?? { tid: waiter.tid, name: waiter.comm, main: waiter.tid === look.target.pid });
  const where = place === null ? '' : ` in ${frameName(place)}`;
  return {
    confidence: 0.93,
    title: `A forked worker waits${where} for a native lock that stayed behind in its parent`,
    summary:
      `${who.replace(/^./, (letter) => letter.toUpperCase())} waits${where} for the native lock at ${address} all the time. It notes thread ${ownerTid} as its owner, which is a thread of the parent, process ${parent.pid} (${code(parent.command, 100)}), and not of this process. ` +
      `The parent forked this process while that thread had the lock; the thread was not copied, so nobody can give the lock back here.`,
    evidence: [
      look.quote(sampled.evidenceId, at),
      look.quote(family.evidenceId, target.at),
      look.quote(family.evidenceId, parent.at),
      ...(place === null || python === null ? [] : [look.quote(python.evidenceId, place.at)]),
    ],
    fixes: [
      {
        title: 'Fork before threads are started, or do not fork at all',
        detail:
          'fork(2) copies only the thread that calls it. A native lock that another thread has at that moment stays locked in the copy for good. A library can take its locks before the fork and make them anew in the child.',
        code: 'pthread_atfork(lock_all, unlock_all, reset_all);',
      },
      {
        title: `To get rid of it now: SIGKILL to process ${look.target.pid}`,
        detail: `The worker never goes on. Its parent, process ${parent.pid}, can fork another one, which may meet the same fate.`,
        code: shellCommand(['kill', '-KILL', String(look.target.pid)]),
      },
    ],
    related: [{ pid: parent.pid, why: 'it forked this process while one of its threads had the lock' }],
  };
};
