import type { Look } from '../model/index.ts';
import { children } from '../probes/children.ts';
import { sample } from '../probes/sample.ts';
import { inModule, lastName, steadyInnermost } from '../reading/lock-frames.ts';
import { waitsWithoutLimit } from '../reading/processes.ts';
import { INSIDE, likelyHolder, type Opinion, type Scene, selfWait } from './signal-handler-deadlock.stack.ts';

/** What is inferred of a lock that only the one thread of a process can have. */
export const ALONE =
  'which frame took the lock cannot be seen, but there is no other thread that could hold it or give it back';

const HOLDABLE = /(^|\.)(Lock|RLock|Semaphore|BoundedSemaphore|Condition|SemLock)$/;

/** Whether no other process can have a lock in shared memory: the target was not forked and has no children. */
const unshared = (look: Look): boolean => {
  const family = look.see(children);
  return (
    family.seen &&
    family.data.processes.every((each) =>
      each.relation === 'target'
        ? each.origin === 'executed' && !/\bmultiprocessing\b/.test(each.command)
        : each.relation !== 'descendant',
    )
  );
};

/** Locks whose address is not readable: multiprocessing's, and semaphores of threading. */
export const judgeShared = (scene: Scene): Opinion | null => {
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
  if (!sampled.seen || call === undefined) return null;
  if (holder === undefined) {
    const still = waitsWithoutLimit({ syscall: call.name, args: [...call.args] });
    if (!module || !scene.alone || !still || !unshared(look)) return null;
    return selfWait(
      scene,
      { kind: 'shared', type: 'SemLock' },
      {
        confidence: 0.78,
        inferred: ALONE,
        holder: likelyHolder(run),
        lines: [{ evidenceId: sampled.evidenceId, at: call.at }],
      },
    );
  }
  const type = holder.holds.find((held) => HOLDABLE.test(held.type))?.type ?? 'Lock';
  const inferred = `the handler waits for a lock of this kind (\`${type}\`) and the interrupted code has one; that both are the same one is inferred`;
  const lines = [{ evidenceId: sampled.evidenceId, at: call.at }];
  return selfWait(
    scene,
    { kind: 'shared', type },
    { confidence: likelyHolder(run) === holder ? 0.85 : 0.78, inferred, holder, lines },
  );
};
