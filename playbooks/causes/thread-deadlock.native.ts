import type { FindingDraft, Fix, Look, PythonFrame, Quote } from '../model/index.ts';
import { pyStacks } from '../probes/py-stacks.ts';
import { type SampledThread, sample } from '../probes/sample.ts';
import { type MemoryWait, memoryWaits } from '../reading/lock-frames.ts';
import { type EvidenceLine, FEW_WAKES } from '../reading/lock-waits.ts';
import { frameName, ownFrame, type PythonView, shareWhere, threadName, threadOf } from '../reading/python.ts';
import { isFutex, sampledCalls } from '../reading/syscalls.ts';
import { code, count, duration, list, shellCommand } from '../reading/text.ts';

/** One thread's wait for what another thread has. */
interface Edge {
  readonly tid: number;
  readonly to: number;
  /** `native`: a lock that notes its owner; `python`: one of Python's, in a `with` of the owner; `gil`: the interpreter's own. */
  readonly kind: 'native' | 'python' | 'gil';
  /** Where the lock lies; empty for the interpreter's. */
  readonly address: string;
  readonly lines: readonly EvidenceLine[];
}

const nativeEdges = (threads: readonly SampledThread[], evidenceId: string): Edge[] =>
  threads.flatMap(({ tid, mutex, voluntarySwitches }) =>
    mutex === undefined || (voluntarySwitches ?? 0) > FEW_WAKES
      ? []
      : [{ tid, to: mutex.ownerTid, kind: 'native', address: mutex.address, lines: [{ evidenceId, at: mutex.at }] }],
  );

const pythonEdge = ({ thread, holder, address, at }: MemoryWait): Edge[] =>
  thread.tid === null || holder === null || holder.thread.tid === null
    ? []
    : [
        {
          tid: thread.tid,
          to: holder.thread.tid,
          kind: 'python',
          address,
          lines: [{ evidenceId: thread.evidenceId, at }],
        },
      ];

/** In its wait for the interpreter's lock a thread asks for it again every 5 ms (Python/ceval_gil.h, take_gil). */
const WAKES_PER_SECOND = 20;

/** Threads that want the interpreter's lock while one that waits for a native lock has it all the time. */
const gilEdges = (look: Look, view: PythonView, native: readonly Edge[]): Edge[] => {
  const [sampled, read] = [look.see(sample), look.see(pyStacks)];
  if (!sampled.seen || !read.seen) return [];
  const holder = view.threads.find(
    (thread) =>
      native.some((edge) => edge.tid === thread.tid) && thread.samples > 0 && (thread.gil ?? 0) >= 0.9 * thread.samples,
  );
  if (holder === undefined || holder.tid === null) return [];
  const to = holder.tid;
  return sampled.data.threads.flatMap((own): Edge[] => {
    const thread = threadOf(view, own.tid);
    const [call] = sampledCalls(own);
    if (thread === null || thread === holder || thread.gil !== 0 || call === undefined) return [];
    const asks = (own.voluntarySwitches ?? 0) >= WAKES_PER_SECOND * sampled.data.seconds;
    const limited = isFutex(call.name) && !/^(0x)?0+$/.test(call.args[3] ?? '0x0');
    const first = thread.stacks[0]?.frames[0];
    const steady =
      first !== undefined &&
      shareWhere(thread, ({ frames }) => frames[0]?.line === first.line && frames[0]?.file === first.file) >= 0.9;
    if (!asks || !limited || call.share < 0.5 || !steady) return [];
    return [{ tid: own.tid, to, kind: 'gil', address: '', lines: [{ evidenceId: sampled.evidenceId, at: own.at }] }];
  });
};

/** Rings of waits of which at least one is for a native lock, each once. */
const ringsOf = (edges: readonly Edge[]): Edge[][] => {
  const next = new Map(edges.map((edge) => [edge.tid, edge]));
  const rings: Edge[][] = [];
  for (const start of edges) {
    const way: Edge[] = [];
    let edge: Edge | undefined = start;
    while (edge !== undefined && !way.includes(edge)) {
      way.push(edge);
      edge = next.get(edge.to);
    }
    if (edge === undefined) continue;
    const ring = way.slice(way.indexOf(edge));
    const known = rings.some((each) => each.some((one) => ring.includes(one)));
    if (!known && ring.some((one) => one.kind === 'native')) rings.push(ring);
  }
  return rings;
};

const lockText = (edge: Edge): string =>
  edge.kind === 'gil'
    ? 'the interpreter lock (GIL)'
    : edge.kind === 'native'
      ? `the native lock at ${edge.address}`
      : `the Python lock at ${edge.address}`;

const fixesOf = (look: Look, ring: readonly Edge[]): Fix[] => [
  ring.length === 1
    ? {
        title: 'Do not take the lock again while it is held',
        detail:
          'The function that waits was called, directly or through a callback, by code that has the lock already. Call it outside of the lock, or split off an inner function that expects the lock to be held; a recursive mutex makes it go on, but shows half-changed state.',
        code: 'pthread_mutex_lock(&m);\nchange_locked(state);        /* expects m to be held */\npthread_mutex_unlock(&m);',
      }
    : ring.some((edge) => edge.kind === 'gil')
      ? {
          title: 'Give the interpreter lock back before waiting for a native lock',
          detail:
            'Code of an extension that waits for a lock while it has the interpreter lock stops all of Python, also the thread that would give that lock back.',
          code: 'Py_BEGIN_ALLOW_THREADS\npthread_mutex_lock(&m);\nPy_END_ALLOW_THREADS        // with ctypes: CDLL instead of PyDLL; with Cython: with nogil',
        }
      : {
          title: 'Take the locks in one order everywhere',
          detail:
            'Each of the threads has one lock and waits for another one. Decide which comes first, or take both at once.',
          code: 'std::scoped_lock both(first.mutex, second.mutex);   // takes them without a deadlock, from C++17 on',
        },
  {
    title: 'See the C functions that wait, then restart the process',
    detail:
      'The native stacks name the functions that took the locks; the process stands still for that moment. No signal and no other thread can give these locks back.',
    code: `${shellCommand(['eu-stack', '-p', String(look.target.pid)])}\n${shellCommand(['kill', '-KILL', String(look.target.pid)])}`,
  },
];

const draftOf = (look: Look, view: PythonView | null, ring: readonly Edge[]): FindingDraft => {
  const sampled = look.see(sample);
  const comm = (tid: number): string =>
    (sampled.seen ? sampled.data.threads.find((each) => each.tid === tid)?.comm : undefined) ?? '';
  const who = (tid: number): string =>
    threadName(threadOf(view, tid) ?? { tid, name: comm(tid), main: tid === look.target.pid });
  const placeOf = (tid: number): PythonFrame | null => {
    const stack = threadOf(view, tid)?.stacks[0];
    return stack === undefined ? null : ownFrame(stack);
  };
  const where = (tid: number): string => {
    const place = placeOf(tid);
    return place === null ? '' : ` in ${frameName(place)}`;
  };
  const waits = ring.slice(0, 6).map((edge) => {
    const owner = edge.to === edge.tid ? 'that thread itself' : who(edge.to);
    return `${who(edge.tid).replace(/^./, (letter) => letter.toUpperCase())} waits${where(edge.tid)} for ${lockText(edge)}, which ${owner} has.`;
  });
  const [one, two] = ring;
  const title =
    two === undefined || one === undefined
      ? `Deadlock with itself: ${who(one?.tid ?? look.target.pid)} waits${where(one?.tid ?? 0)} for a native lock that it has already`
      : ring.length === 2
        ? `Deadlock: ${who(one.tid)}${where(one.tid)} and ${who(two.tid)}${where(two.tid)} wait for each other's locks`
        : `Deadlock of ${ring.length} threads in a ring: ${list(ring.slice(0, 5).map((edge) => who(edge.tid)))}, each waits for a lock that the next one holds`;
  const quotes: Quote[] = ring.slice(0, 3).flatMap((edge) => {
    const place = placeOf(edge.tid);
    const python = threadOf(view, edge.tid);
    return [
      ...edge.lines.map((line) => look.quote(line.evidenceId, line.at)),
      ...(place === null || python === null ? [] : [look.quote(python.evidenceId, place.at)]),
    ];
  });
  const gil = ring.some((edge) => edge.kind === 'gil');
  return {
    confidence: gil ? 0.9 : 0.97,
    title,
    summary:
      `${waits.join(' ')} ${ring.length === 1 ? 'It cannot go on' : `None of these ${count(ring.length, 'thread')} can go on`}, and this does not pass by itself: none of them got further in the window of ${duration(sampled.seen ? sampled.data.seconds : 0)}. ` +
      `The owner of a native lock is the thread that ${code('pthread_mutex_t')} or the kernel notes as such.`,
    evidence: quotes.slice(0, 7),
    fixes: fixesOf(look, ring),
  };
};

/**
 * Findings about threads that wait for native locks (pthread mutexes, C++'s `std::mutex`) in a ring, which Python's own locks and the
 * interpreter's may be part of. A lock that a signal handler's own thread has is another cause's business.
 */
export const nativeRings = (look: Look, view: PythonView | null): FindingDraft[] => {
  const sampled = look.see(sample);
  if (!sampled.seen) return [];
  const { threads } = sampled.data;
  const native = nativeEdges(threads, sampled.evidenceId);
  if (native.length === 0) return [];
  const python = view === null ? [] : memoryWaits(view).flatMap(pythonEdge);
  const gil = view === null ? [] : gilEdges(look, view, native);
  return ringsOf([...native, ...python, ...gil])
    .filter((ring) => {
      const [edge] = ring;
      const own = threads.find((each) => each.tid === edge?.tid);
      return ring.length > 1 || (own?.mutex?.blocked.length ?? 0) === 0;
    })
    .map((ring) => draftOf(look, view, ring));
};
