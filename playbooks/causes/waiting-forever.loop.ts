import type { FindingDraft, Fix, Look, PythonFrame } from '../model/index.ts';
import type { RelativeThread } from '../probes/children.ts';
import { sockets } from '../probes/sockets.ts';
import { caughtSignals, type Family, waitsWithoutLimit } from '../reading/processes.ts';
import { frameName, isLibraryFile, type PythonThreadView, type PythonView, threadName } from '../reading/python.ts';
import { steadyWait } from '../reading/python-waits.ts';
import { inHandler } from '../reading/signals.ts';
import { isReadiness, socketInode, waitLimit } from '../reading/syscalls.ts';
import { code, count, duration, list, shellCommand } from '../reading/text.ts';
import { quoteTurn, type TurnView, turnFrame, turnsOf } from '../reading/turns.ts';

/** An epoll descriptor of the target, as the children's evidence has it. */
type Epoll = NonNullable<Family['target']['epolls']>[number];

/** An event loop that nothing can wake: neither a descriptor, a timer, a signal nor another thread. */
interface LostLoop {
  readonly thread: PythonThreadView;
  readonly own: RelativeThread;
  readonly epoll: Epoll;
  /** Its tasks, all of which wait; empty where tasks cannot be read. */
  readonly turns: readonly TurnView[];
  readonly confidence: number;
}

/** Unix sockets of the target whose other end it has itself, by the inode of each end; empty where ss did not tell. */
const ownPairs = (look: Look): ReadonlyMap<string, string> => {
  const seen = look.see(sockets);
  const peers = new Map<string, string>();
  if (!seen.seen) return peers;
  const own = new Set(seen.data.sockets.flatMap((each) => (each.kind === 'unix' ? (each.inode ?? []) : [])));
  for (const socket of seen.data.sockets) {
    const peer = socket.kind === 'unix' ? /:(\d+)$/.exec(socket.peer)?.[1] : undefined;
    if (socket.inode !== null && peer !== undefined && own.has(peer)) peers.set(socket.inode, peer);
  }
  return peers;
};

/** Whether an epoll descriptor watches only what this process itself can write to. */
const watchesItself = (look: Look, family: Family, epoll: Epoll): boolean => {
  const pairs = ownPairs(look);
  const others = family.data.processes.filter((each) => each !== family.target);
  return (
    epoll.shown.length === epoll.watches &&
    epoll.shown.every(({ target }) => {
      if (target === 'anon_inode:[eventfd]') return true;
      const pipe = /^pipe:\[(\d+)\]$/.exec(target)?.[1];
      if (pipe !== undefined) {
        const writes = family.target.pipes.some((each) => each.inode === pipe && each.end !== 'read');
        return writes && !others.some((each) => each.pipes.some((end) => end.inode === pipe && end.end !== 'read'));
      }
      const inode = socketInode(target) ?? '';
      const peer = pairs.get(inode);
      if (peer === undefined) return false;
      return !others.some((each) => each.sockets.some((socket) => socket.inode === inode || socket.inode === peer));
    })
  );
};

/** The epoll descriptor that a thread waits at without a limit while it watches only the process itself; null for any other wait. */
const lostEpoll = (look: Look, family: Family, thread: RelativeThread): Epoll | null => {
  if (!isReadiness(thread.syscall) || waitLimit(thread.syscall, thread.args) !== 'none') return null;
  if (thread.fd !== 'anon_inode:[eventpoll]') return null;
  const number = Number(thread.args[0]);
  const epoll = family.target.epolls?.find((each) => each.fd === number);
  return epoll !== undefined && watchesItself(look, family, epoll) ? epoll : null;
};

/** Whether another process may end the wait of one of the threads through memory that both have. */
const sharesMemory = (view: PythonView, family: Family): boolean => {
  const processes = new Set(['process-queue', 'process-lock', 'connection', 'pool-result']);
  const forked = family.data.processes.some(
    (each) =>
      each.relation === 'descendant' && (each.origin !== 'executed' || /\bmultiprocessing\b/.test(each.command)),
  );
  return forked || view.threads.some((each) => processes.has(steadyWait(each)?.kind ?? ''));
};

/** asyncio waits for one thing there until it is done (asyncio/base_events.py). */
const untilComplete = (thread: PythonThreadView): PythonFrame | null =>
  thread.stacks[0]?.frames.find(
    (each) => /\/asyncio\/base_events\.py$/.test(each.file) && /(?:^|\.)run_until_complete$/.test(each.function),
  ) ?? null;

/** A wait that programs make last as long as they run: for an event, often the one to stop. */
const forEvent = (turn: TurnView): boolean =>
  turn.stack.frames.some((each) => /\/asyncio\/locks\.py$/.test(each.file) && /(?:^|\.)wait$/.test(each.function)) &&
  !turn.stack.frames.some((each) => /Condition\./.test(each.function) || /\/asyncio\/queues\.py$/.test(each.file));

const lostLoop = (look: Look, view: PythonView, family: Family): LostLoop | null => {
  const { target } = family;
  if (target.threads.length !== target.threadCount || caughtSignals(target).length > 0) return null;
  if (sharesMemory(view, family) || view.threads.some((each) => each.stacks.some(inHandler))) return null;
  const loops = target.threads.flatMap((own) => {
    const epoll = lostEpoll(look, family, own);
    return epoll === null ? [] : [{ own, epoll }];
  });
  const stands = target.threads.every(
    (own) => own.same && own.woke === 0 && (waitsWithoutLimit(own) || loops.some((loop) => loop.own === own)),
  );
  if (!stands) return null;
  for (const { own, epoll } of loops) {
    const thread = view.threads.find((each) => each.tid === own.tid);
    if (thread === undefined) continue;
    const turns = turnsOf(look).filter((turn) => turn.kind === 'task' && (turn.tid ?? own.tid) === own.tid);
    // One whose turn had come would have had it.
    if (turns.some((turn) => turn.state !== 'waiting' || turn.still < turn.count)) continue;
    if (turns.length === 0 && untilComplete(thread) === null) continue;
    const native = target.threadCount - view.threads.length;
    const sure = turns.length === 0 ? 0.65 : turns.every(forEvent) ? 0.7 : 0.85;
    return { thread, own, epoll, turns, confidence: native > 0 ? Math.min(sure, 0.6) : sure };
  }
  return null;
};

/** Tasks whose place is the program's own come first, the most numerous of them first. */
const told = (turns: readonly TurnView[]): TurnView[] => {
  const own = (turn: TurnView): number => (turn.stack.frames.some((each) => !isLibraryFile(each.file)) ? 0 : 1);
  return turns.toSorted((a, b) => own(a) - own(b) || b.count - a.count);
};

const FIXES = (look: Look): Fix[] => [
  {
    title: 'Let the failure of one task reach those that wait for it',
    detail:
      'A task that ends by an exception, is cancelled, or is forgotten takes with it what it should have set, put or released, and asyncio says so late or never. Start them together and take their results as they end; set a future and mark a queue’s item as done in a `finally`; give every wait a limit.',
    code: 'async with asyncio.TaskGroup() as group:          # Python 3.11; or asyncio.gather(producer, consumer)\n    group.create_task(produce(jobs))\n    group.create_task(consume(jobs))\n\nvalue = await asyncio.wait_for(answer, timeout=30)',
  },
  {
    title: 'Find out what should have come',
    detail:
      'An exception that nobody took is told on standard error, but only when its task is thrown away; with debug mode asyncio also tells coroutines that were never awaited.',
    code: 'PYTHONASYNCIODEBUG=1 python3 -X dev ...',
  },
  {
    title: 'To get rid of it now: restart the process',
    detail: 'No event from outside wakes this loop. A core taken before shows every thread once more.',
    code: `${shellCommand(['gcore', '-o', '/var/tmp/core', String(look.target.pid)])}\n${shellCommand(['kill', String(look.target.pid)])}`,
  },
];

const draftOf = (look: Look, family: Family, lost: LostLoop): FindingDraft => {
  const { thread, own, epoll, turns } = lost;
  const tasks = turns.reduce((sum, turn) => sum + turn.count, 0);
  const shown = told(turns).slice(0, 3);
  const places = [...new Set(shown.flatMap((turn) => turnFrame(turn) ?? []).map(frameName))];
  const others = family.target.threadCount - 1;
  const where = places.length === 0 ? '' : ` in ${list(places)}`;
  const waiting = tasks === 0 ? 'What it runs' : `${tasks === 1 ? 'Its one task' : `All its ${tasks} tasks`}`;
  const who = threadName(thread);
  return {
    confidence: lost.confidence,
    title:
      tasks === 0
        ? `The event loop of ${who} waits for something, and nothing is left that could wake it`
        : `${count(tasks, 'task')} of the event loop ${tasks === 1 ? 'waits' : 'wait'}${where}, and nothing is left that could wake ${tasks === 1 ? 'it' : 'them'}`,
    summary:
      `The event loop of ${who} stood in ${code(own.syscall)} for the whole window of ${duration(family.data.seconds)}, without a time limit: no timer is set. ` +
      `It watches no connection, file or child, but only what this process itself can write to, and the process handles no signal. ` +
      `${others === 0 ? 'There is no other thread.' : others === 1 ? 'Its other thread waits too, without a time limit.' : `Its ${count(others, 'other thread')} wait too, without a time limit.`} ` +
      `${waiting} ${tasks > 1 ? 'wait' : 'waits'}${where} all the while for what nobody is left to bring. ` +
      `Not seen directly: what should have brought it.`,
    evidence: [
      ...shown.flatMap((turn) => quoteTurn(look, turn)).slice(0, 4),
      look.quote(family.evidenceId, own.at),
      look.quote(family.evidenceId, epoll.at),
      ...(family.target.signals === null ? [] : [look.quote(family.evidenceId, family.target.signals.at)]),
    ],
    fixes: FIXES(look),
  };
};

/** The finding about an event loop of asyncio that nothing can wake any more; null when something can, or that cannot be told. */
export const lostLoopDraft = (look: Look, view: PythonView, family: Family): FindingDraft | null => {
  const lost = lostLoop(look, view, family);
  return lost === null ? null : draftOf(look, family, lost);
};
