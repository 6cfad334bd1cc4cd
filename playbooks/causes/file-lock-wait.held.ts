import type { FindingDraft, Look } from '../model/index.ts';
import { identify } from '../probes/identify.ts';
import { type FileLock, locks } from '../probes/locks.ts';
import { sample } from '../probes/sample.ts';
import { frameName, ownFrame, pythonThreads, quoteFrame, threadName, threadOf } from '../reading/python.ts';
import { intArgument, isChildWait, sampledCalls } from '../reading/syscalls.ts';
import { code, count, duration, list, shellCommand } from '../reading/text.ts';

/** A process that waits for the end of a child, and the child waits for a file lock that the process holds. */

/** Share of the samples in the wait for the child. */
const THROUGHOUT = 0.95;

/** waitid(2): P_PID. */
const BY_PID = 1;

interface Ring {
  readonly tid: number;
  readonly waitAt: number;
  readonly held: FileLock;
  readonly wanted: readonly FileLock[];
  /** Children that a wait for any child may mean, besides those that want the lock. */
  readonly others: number;
}

/** The child that a wait is for; -1 for any; null when it is for a group or cannot be told. */
const awaited = (name: string, args: readonly string[]): number | null => {
  if (name !== 'waitid') return intArgument(args, 0);
  const kind = intArgument(args, 0);
  return kind === BY_PID ? intArgument(args, 1) : kind === 0 ? -1 : null;
};

const ringOf = (look: Look): Ring | null => {
  const [sampled, locked, who] = [look.see(sample), look.see(locks), look.see(identify)];
  if (!sampled.seen || !locked.seen || !who.seen) return null;
  const children = who.data.children.filter((each) => each.state !== 'Z').map((each) => each.pid);
  for (const thread of sampled.data.threads) {
    const call = sampledCalls(thread).find((each) => isChildWait(each.name) && each.share >= THROUGHOUT);
    if (call === undefined || thread.samples < 4 || thread.voluntarySwitches !== 0) continue;
    const pid = awaited(call.name, call.args);
    const meant = pid === null ? [] : pid > 0 ? [pid] : pid === -1 ? children : [];
    for (const held of locked.data.locks) {
      if (held.waiting || held.pid !== look.target.pid) continue;
      const wanted = locked.data.locks.filter(
        (each) => each.waiting && each.inode === held.inode && each.kind === held.kind && meant.includes(each.pid),
      );
      if (wanted.length > 0)
        return { tid: thread.tid, waitAt: call.at, held, wanted, others: meant.length - wanted.length };
    }
  }
  return null;
};

/** The finding for who waits for a child that waits for its lock; null when nothing of the kind was seen. */
export const heldForChild = (look: Look): FindingDraft | null => {
  const ring = ringOf(look);
  const [sampled, locked] = [look.see(sample), look.see(locks)];
  if (ring === null || !sampled.seen || !locked.seen) return null;
  const thread = threadOf(pythonThreads(look), ring.tid);
  const frame = thread?.stacks[0] === undefined ? null : ownFrame(thread.stacks[0]);
  const file = ring.held.path === null ? 'a file lock' : `the file lock ${code(ring.held.path)}`;
  const pids = ring.wanted.map((each) => each.pid);
  const who = `process${pids.length === 1 ? '' : 'es'} ${list(pids.slice(0, 4).map(String))}`;
  const [want, end] = pids.length === 1 ? ['wants', 'its end'] : ['want', 'their end'];
  const alone = sampled.data.threads.length === 1;
  const missing = [
    ...(alone ? [] : ['that no other thread of this process gives the lock back']),
    ...(ring.others === 0
      ? []
      : [`that it waits for these and not for one of ${count(ring.others, 'other child', 'other children')}`]),
  ];
  const name =
    thread === null ? (ring.tid === look.target.pid ? 'the main thread' : `thread ${ring.tid}`) : threadName(thread);
  const place = frame === null ? '' : ` in ${frameName(frame)}`;
  return {
    confidence: missing.length === 0 ? 0.93 : 0.7,
    title: `Holds ${file} and waits for the end of ${who}, which ${want} that lock`,
    summary:
      `${name.charAt(0).toUpperCase()}${name.slice(1)} was in a wait for a child${place} for the whole window of ${duration(sampled.data.seconds)}. The kernel’s list of locks shows that ` +
      `this process holds ${file} and that its ${pids.length === 1 ? 'child' : 'children'}, ${who}, ${want} it. The lock is given back after ${end}, and ${end} comes after the lock: neither ever happens.` +
      `${missing.length === 0 ? '' : ` Not seen directly: ${missing.join('; ')}.`}`,
    evidence: [
      look.quote(locked.evidenceId, ring.held.at),
      ...ring.wanted.slice(0, 2).map((each) => look.quote(locked.evidenceId, each.at)),
      look.quote(sampled.evidenceId, ring.waitAt),
      ...(thread === null || frame === null ? [] : [quoteFrame(look, thread, frame)]),
    ],
    fixes: [
      {
        title: 'Give the lock back before the wait for the child',
        detail: `${frame === null ? 'What waits' : frameName(frame)} must not hold a lock that the child may take on its way out, in a signal handler or an exit handler for instance: wait after the ${code('with')} block, or let the child do without the lock there.`,
        code: 'with lock:\n    ...                              # what needs the lock\nos.kill(child.pid, signal.SIGTERM)\nchild.wait(timeout=30)               # the lock is free by now',
      },
      {
        title: `To end it now: SIGKILL for ${who}`,
        detail:
          'The wait then returns and the lock is given back. See first that the child is not in the middle of writing something.',
        code: pids
          .slice(0, 4)
          .map((pid) => shellCommand(['kill', '-KILL', String(pid)]))
          .join('\n'),
      },
    ],
    related: pids.slice(0, 4).map((pid) => ({ pid, why: `it waits for ${file} that this process holds` })),
  };
};
