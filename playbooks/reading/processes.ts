import type { Look } from '../model/index.ts';
import { type ChildrenData, children, type RelativeProcess, type RelativeThread } from '../probes/children.ts';
import { sockets } from '../probes/sockets.ts';
import { intArgument, isChildWait, isFutex, isReceive, isSend, socketInode } from './syscalls.ts';

/** Who of a family of processes waits for whom, and which of them can never go on. */

/** A thread that stood in one wait the whole window, and the processes any of which could end it. */
export interface ProcessWait {
  readonly process: RelativeProcess;
  readonly thread: RelativeThread;
  /** `writes` into a full pipe, `reads` an empty one, waits for a `child` to end, or for a `shared` lock in memory. */
  readonly kind: 'writes' | 'reads' | 'child' | 'shared';
  /** `pipe:[inode]` or `socket:[inode]` that it reads or writes; null for the other kinds. */
  readonly channel: string | null;
  readonly on: readonly RelativeProcess[];
}

/** The family with all its steady waits. */
export interface Family {
  readonly evidenceId: string;
  readonly data: ChildrenData;
  readonly target: RelativeProcess;
  readonly waits: readonly ProcessWait[];
  /** Processes of which nobody can go on, because they wait only for each other. */
  readonly stuck: ReadonlySet<number>;
}

/** Wakes that a steady wait may have: a signal, or the end of another child, wakes and the call goes on. */
const WAKES_OF_CHILD_WAIT = 3;
const WAKES_OF_PIPE = 0;

const pipeInode = (target: string | null): string | null => /^pipe:\[(\d+)\]$/.exec(target ?? '')?.[1] ?? null;

/** Whether a thread was in the same call at both looks and did not wake in between more often than that kind may. */
const stands = (thread: RelativeThread, wakes: number): boolean =>
  thread.same && thread.woke !== null && thread.woke <= wakes && thread.state === 'S';

/** The other ends of unix sockets, by inode, as far as the target has an end of them. */
const socketPeers = (look: Look): ReadonlyMap<string, string> => {
  const seen = look.see(sockets);
  const peers = new Map<string, string>();
  if (!seen.seen) return peers;
  for (const socket of seen.data.sockets) {
    const peer = socket.kind === 'unix' ? /:(\d+)$/.exec(socket.peer)?.[1] : undefined;
    if (socket.inode === null || peer === undefined || peer === '0') continue;
    peers.set(socket.inode, peer);
    peers.set(peer, socket.inode);
  }
  return peers;
};

/** The processes that have the other end of what the thread reads or writes; null when that is not known. */
const otherEnds = (
  data: ChildrenData,
  peers: ReadonlyMap<string, string>,
  thread: RelativeThread,
  end: 'read' | 'write',
): RelativeProcess[] | null => {
  const pipe = pipeInode(thread.fd);
  const peer = peers.get(socketInode(thread.fd) ?? '');
  const found = data.processes.filter((each) =>
    pipe === null
      ? peer !== undefined && each.sockets.some((socket) => socket.inode === peer)
      : each.pipes.some((own) => own.inode === pipe && (own.end === end || own.end === 'both')),
  );
  return found.length === 0 ? null : found;
};

/** wait4(2), waitid(2): the children whose end would end the wait. */
const awaited = (data: ChildrenData, process: RelativeProcess, thread: RelativeThread): RelativeProcess[] => {
  const own = data.processes.filter((each) => each.parent === process.pid);
  const first = intArgument(thread.args, 0);
  const P_PID = 1;
  const pid = thread.syscall === 'waitid' ? (first === P_PID ? intArgument(thread.args, 1) : null) : first;
  return pid === null || pid <= 0 ? own : own.filter((each) => (each.namespacePid ?? each.pid) === pid);
};

/** Whether a futex wait has no time limit: FUTEX_WAIT (0), FUTEX_WAIT_BITSET (9) or FUTEX_LOCK_PI (6), futex(2). */
export const waitsWithoutLimit = (thread: Pick<RelativeThread, 'syscall' | 'args'>): boolean => {
  const operation = (intArgument(thread.args, 1) ?? -1) & 0x7f;
  return isFutex(thread.syscall) && [0, 6, 9].includes(operation) && /^(0x)?0+$/.test(thread.args[3] ?? '');
};

const idle = (thread: RelativeThread): boolean => stands(thread, WAKES_OF_PIPE) && waitsWithoutLimit(thread);

const idleAltogether = (process: RelativeProcess): boolean =>
  process.threads.length === process.threadCount && process.threads.every(idle);

/** Whether two processes may share locks in memory: by a fork, or as multiprocessing's `spawn` does it, by a name. */
const sharesMemory = (one: RelativeProcess, other: RelativeProcess): boolean => {
  const joined = (child: RelativeProcess) => child.origin !== 'executed' || /\bmultiprocessing\b/.test(child.command);
  if (one.parent === other.pid) return joined(one);
  if (other.parent === one.pid) return joined(other);
  return one.parent === other.parent && joined(one) && joined(other);
};

const waitOf = (
  data: ChildrenData,
  peers: ReadonlyMap<string, string>,
  process: RelativeProcess,
  thread: RelativeThread,
): ProcessWait | null => {
  const wait = (kind: ProcessWait['kind'], on: readonly RelativeProcess[] | null): ProcessWait | null =>
    on === null || on.length === 0
      ? null
      : { process, thread, kind, channel: kind === 'writes' || kind === 'reads' ? thread.fd : null, on };
  if (isChildWait(thread.syscall) && stands(thread, WAKES_OF_CHILD_WAIT))
    return wait('child', awaited(data, process, thread));
  if (!stands(thread, WAKES_OF_PIPE)) return null;
  if (isSend(thread.syscall)) return wait('writes', otherEnds(data, peers, thread, 'read'));
  if (isReceive(thread.syscall)) return wait('reads', otherEnds(data, peers, thread, 'write'));
  // When all its threads wait for locks, only another process can end it: one that shares memory with it.
  if (thread === process.threads[0] && idleAltogether(process))
    return wait(
      'shared',
      data.processes.filter((each) => each !== process && sharesMemory(process, each)),
    );
  return null;
};

/** Whether nobody outside of the set can let one of its processes go on. */
const stuckAmong = (data: ChildrenData, waits: readonly ProcessWait[]): Set<number> => {
  const ofThread = (process: RelativeProcess, thread: RelativeThread): ProcessWait | undefined =>
    waits.find((wait) => wait.process === process && wait.thread === thread);
  const stuck = new Set(
    data.processes
      .filter(
        (each) =>
          each.threads.length === each.threadCount &&
          each.threads.some((thread) => ofThread(each, thread) !== undefined) &&
          each.threads.every((thread) => ofThread(each, thread) !== undefined || idle(thread)),
      )
      .map((each) => each.pid),
  );
  for (;;) {
    const free = waits.filter((wait) => stuck.has(wait.process.pid) && wait.on.some((other) => !stuck.has(other.pid)));
    if (free.length === 0) return stuck;
    for (const wait of free) stuck.delete(wait.process.pid);
  }
};

/** The target's relatives and who of them waits for whom; null when they were not seen. */
export const familyOf = (look: Look): Family | null => {
  const seen = look.see(children);
  if (!seen.seen) return null;
  const { data } = seen;
  const target = data.processes.find((each) => each.relation === 'target');
  if (target === undefined) return null;
  const peers = socketPeers(look);
  const waits = data.processes.flatMap((process) =>
    process.threads.flatMap((thread) => waitOf(data, peers, process, thread) ?? []),
  );
  return { evidenceId: seen.evidenceId, data, target, waits, stuck: stuckAmong(data, waits) };
};

const search = (
  family: Family,
  start: RelativeProcess,
  first: ProcessWait | null,
  usable: (wait: ProcessWait) => boolean,
  leads: (wait: ProcessWait, to: RelativeProcess) => boolean,
): ProcessWait[] => {
  const ways: ProcessWait[][] = family.waits
    .filter((wait) => (first === null ? wait.process === start && usable(wait) : wait === first))
    .map((wait) => [wait]);
  let beyond: ProcessWait[] = [];
  const visited = new Set<ProcessWait>();
  for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
    const last = way[way.length - 1];
    if (last === undefined || visited.has(last)) continue;
    visited.add(last);
    if (leads(last, start)) return way;
    const again = way.findIndex((wait) => leads(last, wait.process));
    if (again >= 0 && beyond.length === 0) beyond = way.slice(again);
    const following = family.waits.filter((next) => !way.includes(next) && usable(next) && leads(last, next.process));
    // Who waits for the other to end is the one that should have read.
    const byParent = (wait: ProcessWait): number => (last.process.parent === wait.process.pid ? 0 : 1);
    for (const next of following.toSorted((a, b) => byParent(a) - byParent(b))) ways.push([...way, next]);
  }
  return beyond;
};

/**
 * The shortest way along waits from a process back to itself, or, when it only waits for such a ring, the ring; empty when
 * there is none. A process that inherited both ends of a pipe waits for itself only when there is no other way. `first`:
 * the wait to begin with.
 */
export const ringFrom = (
  family: Family,
  start: RelativeProcess,
  usable: (wait: ProcessWait) => boolean = () => true,
  first: ProcessWait | null = null,
): ProcessWait[] => {
  const between = search(family, start, first, usable, (wait, to) => wait.process !== to && wait.on.includes(to));
  return between.length > 0 ? between : search(family, start, first, usable, (wait, to) => wait.on.includes(to));
};

/** SIGINT, which Python always catches, and the C library's own. */
const USUAL = [2, 32, 33, 34];
/** SIGHUP, SIGQUIT, SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGPIPE, SIGTERM, SIGXCPU, SIGXFSZ: handlers of these tidy up. */
const ENDING = [1, 3, 4, 6, 7, 8, 11, 13, 15, 24, 25];

/** Signals that a process of its own accord catches, as numbers; `besides` leaves those out that ask it to end. */
export const caughtSignals = (process: RelativeProcess, besides: 'ending' | 'none' = 'none'): number[] => {
  const mask = process.signals?.caught;
  if (mask === undefined || !/^[0-9a-f]{1,32}$/i.test(mask)) return [];
  const bits = BigInt(`0x${mask}`);
  const left = besides === 'ending' ? [...USUAL, ...ENDING] : USUAL;
  return Array.from({ length: 64 }, (_, index) => index + 1).filter(
    (number) => ((bits >> BigInt(number - 1)) & 1n) === 1n && !left.includes(number),
  );
};
