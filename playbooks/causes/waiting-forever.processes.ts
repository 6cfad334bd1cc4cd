import type { RelativeProcess } from '../probes/children.ts';
import { caughtSignals, type Family, type ProcessWait, waitsWithoutLimit } from '../reading/processes.ts';
import type { PythonThreadView } from '../reading/python.ts';
import type { PythonWait } from '../reading/python-waits.ts';

/** A wait that nobody can end. */
export interface Lost {
  readonly thread: PythonThreadView;
  readonly wait: PythonWait;
  /** What is missing: see `missingText`. */
  readonly missing: 'threads' | 'all-wait' | 'writers' | 'idle-readers' | 'pool-workers' | 'lock-holder';
  readonly confidence: number;
  readonly inferred: string | null;
  /** Lines of the children's evidence that show it. */
  readonly lines: readonly number[];
  readonly related: readonly { readonly pid: number; readonly why: string }[];
  /** For a pool: its workers, and whether one of them is younger than the others. */
  readonly workers?: { readonly count: number; readonly replaced: RelativeProcess | null };
}

/** Seconds by which a worker that took a dead one's place is younger than the others. */
const YOUNGER = 0.4;

const deadChildren = (family: Family): { lines: number[]; related: Lost['related'] } => {
  const ended = family.data.zombies.shown.filter((each) => each.stayed);
  return {
    lines: ended.slice(0, 2).map((each) => each.at),
    related: ended.slice(0, 3).map((each) => ({
      pid: each.pid,
      why: `it has ended (${each.ending ?? 'how is not known'}) and may be the one that is waited for`,
    })),
  };
};

/** A worker that stands in a read of the pool's pipe, or in the lock before it. */
const idleWorker = (process: RelativeProcess): 'reads' | 'queues' | null => {
  const main = process.threads.find((thread) => thread.tid === process.pid);
  if (main === undefined || !main.same || main.woke !== 0) return null;
  if (main.syscall === 'read' && main.fd?.startsWith('pipe:[')) return 'reads';
  return waitsWithoutLimit(main) ? 'queues' : null;
};

/** A process pool whose workers are all idle, or gone, though a result is waited for; else why not. */
export const poolOf = (family: Family, thread: PythonThreadView, wait: PythonWait): Lost | string => {
  const workers = family.data.processes.filter(
    (each) =>
      each.parent === family.target.pid &&
      (each.origin === 'forked' || /multiprocessing\.(spawn|forkserver)|spawn_main/.test(each.command)),
  );
  const spawned = workers.length > 0 ? workers : family.data.processes.filter((each) => each.relation === 'descendant');
  const base = { thread, wait, missing: 'pool-workers' as const };
  if (spawned.length === 0) {
    const dead = deadChildren(family);
    return { ...base, confidence: 0.9, inferred: null, ...dead, workers: { count: 0, replaced: null } };
  }
  const states = spawned.map(idleWorker);
  if (states.some((state) => state === null)) return 'the pool’s workers are at work';
  if (!states.includes('reads')) return 'the pool’s workers wait for locks, not for tasks';
  const ages = spawned.map((each) => each.ageSeconds).toSorted((a, b) => b - a);
  const youngest = spawned.toSorted((a, b) => a.ageSeconds - b.ageSeconds)[0] ?? null;
  const oldest = ages[0] ?? 0;
  const replaced = youngest !== null && oldest - youngest.ageSeconds > YOUNGER ? youngest : null;
  return {
    ...base,
    confidence: replaced === null ? 0.82 : 0.9,
    inferred:
      replaced === null ? 'how the task was lost; all workers are idle, though a result is still waited for' : null,
    lines: spawned.flatMap((each) => [
      ...(each === replaced ? [each.at] : []),
      ...each.threads.slice(0, 1).map((own) => own.at),
    ]),
    related: replaced === null ? [] : [{ pid: replaced.pid, why: 'it took the place of a worker that ended' }],
    workers: { count: spawned.length, replaced },
  };
};

const isProcessWait = (wait: PythonWait): boolean =>
  wait.kind === 'process-queue' || wait.kind === 'connection' || wait.kind === 'native';

/** Data that only processes could write that are gone, or that themselves only read. */
export const dataOf = (family: Family, thread: PythonThreadView, wait: PythonWait): Lost | null => {
  const read: ProcessWait | undefined = family.waits.find(
    (each) => each.process === family.target && each.thread.tid === thread.tid && each.kind === 'reads',
  );
  if (read === undefined || !isProcessWait(wait)) return null;
  const others = read.on.filter((each) => each !== family.target);
  const alone = family.target.threads.length === 1;
  const inode = /\[(\d+)\]/.exec(read.channel ?? '')?.[1];
  const ends = read.on.flatMap((each) =>
    each.pipes.filter((pipe) => pipe.inode === inode && pipe.end !== 'read').map((pipe) => pipe.at),
  );
  const dead = deadChildren(family);
  const signals = caughtSignals(family.target).length > 0;
  const base = { thread, wait, lines: [...ends.slice(0, 1), ...dead.lines], related: dead.related };
  if (others.length === 0) {
    const library = wait.kind !== 'native';
    if (signals && !library)
      return { ...base, missing: 'writers', confidence: 0.4, inferred: 'that no signal handler writes to it' };
    return {
      ...base,
      missing: 'writers',
      confidence: alone ? 0.92 : library ? 0.75 : 0.45,
      inferred: alone ? null : 'that none of the other threads of this process writes to it',
    };
  }
  if (
    !family.stuck.has(family.target.pid) ||
    others.some((each) => each.origin === 'executed' && each.relation === 'descendant')
  )
    return null;
  return {
    ...base,
    missing: 'idle-readers',
    confidence: signals ? 0.45 : 0.8,
    inferred:
      'what was lost: all of them only wait to read, and whoever should have written has done so already or has ended',
    lines: [...others.slice(0, 2).flatMap((each) => each.threads.slice(0, 1).map((own) => own.at)), ...dead.lines],
  };
};

/** A lock between processes whose holder has ended. */
export const sharedOf = (family: Family, thread: PythonThreadView, wait: PythonWait): Lost | null => {
  if (wait.kind !== 'process-lock' && wait.kind !== 'process-queue') return null;
  const own = family.target.threads.find((each) => each.tid === thread.tid);
  if (own === undefined || !own.same || own.woke !== 0 || !waitsWithoutLimit(own)) return null;
  const idle = family.target.threads.every((each) => each.same && each.woke === 0 && waitsWithoutLimit(each));
  const sharers = family.data.processes.filter(
    (each) =>
      each !== family.target &&
      (each.relation === 'descendant' || (family.target.origin === 'forked' && each.relation !== 'parent')),
  );
  const parentShares = family.target.origin === 'forked';
  const dead = deadChildren(family);
  const base = { thread, wait, missing: 'lock-holder' as const, related: dead.related };
  const lines = [
    ...dead.lines,
    ...sharers.slice(0, 2).flatMap((each) => each.threads.slice(0, 1).map((other) => other.at)),
  ];
  if (idle && sharers.length === 0 && !parentShares)
    return {
      ...base,
      lines,
      confidence: dead.lines.length > 0 ? 0.9 : 0.82,
      inferred: dead.lines.length > 0 ? null : 'who took it; no other process is left that could give it back',
    };
  // Idle consumers of one queue: one reads and the others queue for the lock. When none reads, the lock's holder is gone.
  const group = [family.target, ...sharers.filter((each) => each.comm === family.target.comm)];
  const all = group.every((each) => idleWorker(each) === 'queues');
  if (wait.kind === 'process-queue' && all && group.length > 1)
    return {
      ...base,
      lines,
      confidence: 0.78,
      inferred: 'that the lock was held by a process that has ended; none of those that live is inside of it',
    };
  return family.stuck.has(family.target.pid) && all
    ? { ...base, lines, confidence: 0.75, inferred: 'who took it; all processes that share it wait' }
    : null;
};
