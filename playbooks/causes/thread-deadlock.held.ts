import type { FindingDraft, Fix, Look, PythonFrame } from '../model/index.ts';
import { sample } from '../probes/sample.ts';
import { holdLine, type MemoryWait, sameFunction } from '../reading/lock-frames.ts';
import { FEW_WAKES, wakes } from '../reading/lock-waits.ts';
import { waitsWithoutLimit } from '../reading/processes.ts';
import { frameName, ownFrame, type PythonThreadView, type PythonView, threadName } from '../reading/python.ts';
import { type PythonWait, steadyWait } from '../reading/python-waits.ts';
import { sampledCalls } from '../reading/syscalls.ts';
import { code, count, shellCommand } from '../reading/text.ts';

/** A thread that waits for what other threads bring, while it holds the lock that one of them waits for. */
export interface HeldWait {
  readonly thread: PythonThreadView;
  readonly wait: PythonWait;
  /** The frame that is inside of a `with` on the lock. */
  readonly frame: PythonFrame;
  /** Those who wait for the lock. */
  readonly behind: readonly MemoryWait[];
}

/** Waits that another thread of the process ends. */
const BROUGHT = new Set([
  'queue-get',
  'queue-put',
  'queue-join',
  'event',
  'condition',
  'barrier',
  'thread-join',
  'future',
]);

/** Whether its wait has no limit and it did not wake. */
const standsStill = (look: Look, thread: PythonThreadView): boolean => {
  const sampled = look.see(sample);
  const own = sampled.seen ? sampled.data.threads.find((each) => each.tid === thread.tid) : undefined;
  return (
    own !== undefined &&
    (wakes(look, thread.tid) ?? 0) <= FEW_WAKES &&
    sampledCalls(own).some(
      (call) => call.share >= 0.9 && waitsWithoutLimit({ syscall: call.name, args: [...call.args] }),
    )
  );
};

/**
 * The first of them; null when there is none. Workers that take turns in one function, one of which waits for work while it
 * holds the lock and the others queue for it, are at rest and none.
 */
export const heldWait = (look: Look, view: PythonView, waits: readonly MemoryWait[]): HeldWait | null => {
  for (const thread of view.threads) {
    const wait = waits.some((each) => each.thread === thread) ? null : steadyWait(thread);
    if (wait === null || wait.call === null || !BROUGHT.has(wait.kind) || !standsStill(look, thread)) continue;
    const holds = (frame: PythonFrame, address: string): boolean =>
      frame.holds.some((held) => held.address === address);
    for (const { address } of waits) {
      const frame = wait.stack.frames.find((each) => holds(each, address));
      const behind = waits.filter((each) => each.address === address);
      const turns = behind.every((each) =>
        each.stack.frames.some((other) => frame !== undefined && sameFunction(other, frame)),
      );
      if (frame !== undefined && !turns) return { thread, wait, frame, behind };
    }
  }
  return null;
};

const fixesOf = (look: Look, held: HeldWait): Fix[] => [
  {
    title: 'Do not wait for other threads while holding the lock',
    detail: `${frameName(held.frame)} is inside of the ${code('with')} while it waits in ${code(held.wait.call?.function ?? 'a wait')}. Take what is needed, leave the ${code('with')}, then wait; or wait with a limit, give the lock back and try again.`,
    code: 'with self.lock:\n    job = self.prepare()\nself.jobs.put(job)          # outside of the lock\n# or let it fail loudly instead of hanging:\nself.jobs.put(job, timeout=10)',
  },
  {
    title: 'To get rid of it now: restart the process',
    detail:
      'No signal and no other thread can give these locks back. What the waiting threads had begun is lost; a core taken before shows every thread once more.',
    code: `${shellCommand(['gcore', '-o', '/var/tmp/core', String(look.target.pid)])}\n${shellCommand(['kill', '-KILL', String(look.target.pid)])}`,
  },
];

/** The finding. `view`: to tell how many threads of the process run no Python, of which nothing is known. */
export const heldDraft = (look: Look, view: PythonView, held: HeldWait): FindingDraft => {
  const { thread, wait, frame, behind } = held;
  const [first] = behind;
  const sampled = look.see(sample);
  const native = sampled.seen ? Math.max(0, sampled.data.threads.length - view.threads.length) : 0;
  const place = first === undefined ? null : ownFrame(first.stack);
  const who = threadName(thread);
  const call = code(wait.call?.function ?? 'a wait');
  const other = first === undefined ? 'another thread' : threadName(first.thread);
  const others = view.threads.length - behind.length - 1;
  return {
    confidence: native > 0 ? 0.7 : 0.88,
    title: `Deadlock: ${who} waits in ${call} while ${frameName(frame)} holds the lock that ${other} waits for`,
    summary:
      `${who.charAt(0).toUpperCase()}${who.slice(1)} is inside of a ${code('with')} on a ${code(first?.type ?? 'lock')} (${first?.address ?? ''}) in ${frameName(frame)} and waits in ${call}, without a time limit, for what another thread brings. ` +
      `${other.charAt(0).toUpperCase()}${other.slice(1)} waits in ${place === null ? 'its innermost frame' : frameName(place)} for that lock${behind.length > 1 ? `, and ${count(behind.length - 1, 'more thread')} behind it` : ''}. ` +
      `${others > 0 ? 'Every other thread with Python code waits for threads, too, so nobody is left to end this.' : 'There is no other thread with Python code that could end this.'}` +
      (native > 0
        ? ` Not seen directly: that none of its ${native} threads without Python code brings it.`
        : ` Not seen directly: that what it waits for would have come from ${other}.`),
    evidence: [
      ...(wait.call === null ? [] : [look.quote(thread.evidenceId, wait.call.at)]),
      look.quote(thread.evidenceId, frame.at),
      look.quote(thread.evidenceId, holdLine(frame, first?.address)),
      ...(first === undefined ? [] : [look.quote(first.thread.evidenceId, first.at)]),
      ...(first === undefined || place === null ? [] : [look.quote(first.thread.evidenceId, place.at)]),
    ],
    fixes: fixesOf(look, held),
  };
};
