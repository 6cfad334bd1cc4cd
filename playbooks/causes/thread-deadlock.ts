import {
  defineCause,
  type FindingDraft,
  type Fix,
  type Look,
  type PythonFrame,
  type Quote,
  type Verdict,
} from '../model/index.ts';
import { pyStacks } from '../probes/py-stacks.ts';
import { sample } from '../probes/sample.ts';
import { forkedFrom } from '../reading/forked.ts';
import { holdLine, type MemoryWait, memoryWaits, sameFunction, waitsForEvent } from '../reading/lock-frames.ts';
import { FEW_WAKES, wakes } from '../reading/lock-waits.ts';
import {
  frameName,
  ownFrame,
  type PythonThreadView,
  type PythonView,
  pythonThreads,
  threadName,
} from '../reading/python.ts';
import { code, count, list, shellCommand } from '../reading/text.ts';
import { heldDraft, heldWait } from './thread-deadlock.held.ts';
import { nativeRings } from './thread-deadlock.native.ts';

/** Threads that wait for each other; the last one waits for the first. */
interface Ring {
  readonly waits: readonly MemoryWait[];
  readonly confidence: number;
  /** What was not seen directly; null when all was. */
  readonly inferred: string | null;
}

const waitOf = (waits: readonly MemoryWait[], thread: PythonThreadView | undefined): MemoryWait | undefined =>
  waits.find((wait) => wait.thread === thread);

/** The waits from this one on, along those who hold the locks, as far as they lead. A ring ends where it began. */
const chainFrom = (waits: readonly MemoryWait[], start: MemoryWait): { chain: MemoryWait[]; ring: boolean } => {
  const chain = [start];
  for (;;) {
    const last = chain[chain.length - 1];
    const next = waitOf(waits, last?.holder?.thread);
    if (next === undefined) return { chain, ring: false };
    if (chain.includes(next)) return { chain: chain.slice(chain.indexOf(next)), ring: true };
    chain.push(next);
  }
};

/** Whether the lock is held by code that a signal handler of the same thread interrupted: another cause's business. */
const acrossHandler = (wait: MemoryWait): boolean => {
  const frame = wait.holder?.thread === wait.thread ? wait.holder.frame : null;
  const handler = wait.stack.frames.findIndex((each) => each.signal !== null);
  return frame !== null && handler >= 0 && wait.stack.frames.indexOf(frame) > handler;
};

const seenRings = (waits: readonly MemoryWait[]): Ring[] => {
  const rings: Ring[] = [];
  for (const wait of waits) {
    const { chain, ring } = chainFrom(waits, wait);
    const known = rings.some((each) => each.waits.some((one) => chain.includes(one)));
    if (ring && !known && !(chain.length === 1 && acrossHandler(chain[0] ?? wait)))
      rings.push({ waits: chain, confidence: 0.97, inferred: null });
  }
  return rings;
};

/** Threads that are neither in these waits nor in a wait for an event: they may hold locks and give them back. */
const freeThreads = (view: PythonView, waits: readonly MemoryWait[]): number =>
  view.threads.filter((thread) => {
    const inner = thread.stacks[0]?.frames[0];
    return waitOf(waits, thread) === undefined && !(inner !== undefined && waitsForEvent(inner));
  }).length;

/** A ring with one lock whose holder cannot be seen, because it was taken by acquire(), without `with`. */
const inferredRing = (view: PythonView, waits: readonly MemoryWait[]): Ring | null => {
  for (const open of waits.filter((wait) => wait.holder === null)) {
    const leading = waits
      .filter((wait) => wait !== open)
      .map((wait) => chainFrom(waits, wait).chain)
      .filter((chain) => chain[chain.length - 1] === open)
      .toSorted((a, b) => a.length - b.length);
    const [chain] = leading;
    const [first] = chain ?? [];
    if (chain === undefined || first === undefined) continue;
    const free = freeThreads(view, waits);
    return {
      waits: [open, ...chain.slice(0, -1)],
      confidence: leading.length === 1 && free === 0 ? 0.85 : 0.72,
      inferred: `that ${threadName(first.thread)} holds the lock for which ${threadName(open.thread)} waits; it was taken without a ${code('with')}, so its holder cannot be seen`,
    };
  }
  return null;
};

/** All threads wait, and nobody is left who could give a lock back. */
const everybodyWaits = (look: Look, view: PythonView, waits: readonly MemoryWait[]): Ring | null => {
  const addresses = new Set(waits.map((wait) => wait.address));
  if (waits.length === 0 || freeThreads(view, waits) > 0 || waits.some((wait) => wait.holder !== null)) return null;
  if (waits.some((wait) => wait.stack.frames.some((frame) => frame.signal !== null))) return null;
  const alone = view.threads.length === 1;
  if ((addresses.size < 2 && !alone) || forkedFrom(look, view) !== null) return null;
  return {
    waits,
    confidence: alone ? 0.7 : 0.75,
    inferred: alone
      ? 'which frame took the lock, but there is no other thread that could give it back'
      : `who holds the locks, which were taken without a ${code('with')}; but every thread waits, and nobody is left to give one back`,
  };
};

const placeOf = (wait: MemoryWait): PythonFrame | null => ownFrame(wait.stack);

const edge = (wait: MemoryWait): string => {
  const place = placeOf(wait);
  const { holder } = wait;
  const who = threadName(wait.thread);
  const wants = `${who} waits in ${place === null ? 'its innermost frame' : frameName(place)} for a ${code(wait.type)} (${wait.address})`;
  if (holder === null) return wants;
  const by = holder.thread === wait.thread ? 'the same thread' : threadName(holder.thread);
  return `${wants}, which ${by} holds${holder.frame === null ? '' : ` in ${frameName(holder.frame)}`}`;
};

const titleOf = (ring: Ring): string => {
  const [one, two] = ring.waits;
  const place = (wait: MemoryWait | undefined) => {
    const frame = wait === undefined ? null : placeOf(wait);
    return frame === null ? '' : frameName(frame);
  };
  if (two === undefined) {
    const holder = one?.holder?.frame;
    return holder
      ? `Deadlock with itself: ${place(one)} wants the lock that ${frameName(holder)} of the same thread holds`
      : `Deadlock: ${place(one)} wants a lock that nobody is left to give back`;
  }
  if (ring.waits.length === 2) {
    const name = (wait: MemoryWait | undefined) => (wait === undefined ? '' : threadName(wait.thread));
    return `Deadlock: ${name(one)} in ${place(one)} and ${name(two)} in ${place(two)} wait for each other's locks`;
  }
  return `Deadlock of ${ring.waits.length} threads in a ring: ${list(ring.waits.slice(0, 5).map((wait) => threadName(wait.thread)))}, each waits for a lock that the next one holds`;
};

const fixesOf = (look: Look, ring: Ring): Fix[] => {
  const pid = look.target.pid;
  const places = [...new Set(ring.waits.flatMap((wait) => placeOf(wait) ?? []).map(frameName))];
  const holders = [...new Set(ring.waits.flatMap((wait) => wait.holder?.frame ?? []).map(frameName))];
  const [first, second] = ring.waits;
  const alike =
    second !== undefined &&
    first !== undefined &&
    ring.waits.every((wait) => {
      const [a, b] = [placeOf(wait), placeOf(first)];
      return a !== null && b !== null && sameFunction(a, b);
    });
  const change: Fix =
    second === undefined
      ? {
          title: 'Do not call out while holding the lock',
          detail:
            `${holders[0] ?? 'The outer frame'} holds the lock while it calls code that comes back to ${places[0] ?? 'it'}. Copy what is needed, leave the ${code('with')}, then call; ` +
            `or give the class an inner method that expects the lock to be held. A ${code('threading.RLock')} makes it go on, but lets the callee see half-changed state.`,
          code: 'def set(self, name, value):\n    with self.lock:\n        self.values[name] = value\n        observers = list(self.observers)\n    for observer in observers:        # outside of the lock\n        observer(name)',
        }
      : {
          title: 'Take the locks in one order everywhere',
          detail: alike
            ? `All of them take the same two kinds of locks in ${places[0]}, in the order in which they are named. Sort them first.`
            : `The locks are taken in different orders: held in ${list(holders)}, wanted in ${list(places)}. Decide which comes first and change the others, or guard both with one lock.`,
          code: alike
            ? 'first, second = sorted((source, target), key=id)   # any order that is the same for all\nwith first.lock, second.lock:\n    ...'
            : "with self.first:          # always the first one first\n    with self.second:\n        ...\n# or let it fail loudly instead of hanging:\nif not self.second.acquire(timeout=10):\n    raise RuntimeError('lock order?')",
        };
  return [
    change,
    {
      title: 'To get rid of it now: restart the process',
      detail:
        'No signal and no other thread can give these locks back. What the waiting threads had begun is lost; a core taken before shows every thread once more.',
      code: `${shellCommand(['gcore', '-o', '/var/tmp/core', String(pid)])}\n${shellCommand(['kill', '-KILL', String(pid)])}`,
    },
  ];
};

const quotesOf = (look: Look, ring: Ring): Quote[] => {
  const lines = ring.waits.slice(0, 3).flatMap((wait) => {
    const place = placeOf(wait);
    const { holder } = wait;
    return [
      { evidenceId: wait.thread.evidenceId, at: wait.at },
      ...(place === null || ring.waits.length > 2 ? [] : [{ evidenceId: wait.thread.evidenceId, at: place.at }]),
      ...(holder?.frame ? [{ evidenceId: holder.thread.evidenceId, at: holdLine(holder.frame, wait.address) }] : []),
    ];
  });
  const once = lines.filter(
    (line, index) => lines.findIndex((each) => each.at === line.at && each.evidenceId === line.evidenceId) === index,
  );
  return once.slice(0, 7).map((line) => look.quote(line.evidenceId, line.at));
};

const draftOf = (look: Look, waits: readonly MemoryWait[], ring: Ring): FindingDraft => {
  const behind = waits.filter((wait) => !ring.waits.includes(wait)).length;
  const edges = ring.waits.slice(0, 6).map(edge);
  return {
    confidence: ring.confidence,
    title: titleOf(ring),
    summary:
      `${edges.map((text) => text.charAt(0).toUpperCase() + text.slice(1)).join('. ')}. None of them can go on, and this does not pass by itself; each was in the same place in every sample.` +
      `${behind === 0 ? '' : ` ${count(behind, 'more thread')} of the process ${behind === 1 ? 'waits' : 'wait'} for locks meanwhile.`}` +
      `${ring.inferred === null ? '' : ` Not seen directly: ${ring.inferred}.`}`,
    evidence: quotesOf(look, ring),
    fixes: fixesOf(look, ring),
  };
};

const judge = (look: Look): Verdict => {
  const view = pythonThreads(look);
  const native = nativeRings(look, view);
  if (native.length > 0) return { verdict: 'fires', findings: native };
  if (view === null) {
    const read = look.see(pyStacks);
    const open = !read.seen && (read.reason === 'not-run' || read.reason === 'not-needed');
    const why = 'the Python stacks of no thread could be read';
    return { verdict: 'cannot-tell', why, ...(open ? { wants: [pyStacks.id] } : {}) };
  }
  // A thread that wakes has its turns; the main one may wake for signals.
  const waits = memoryWaits(view).filter(({ thread }) => thread.main || (wakes(look, thread.tid) ?? 0) <= FEW_WAKES);
  const seen = seenRings(waits);
  const inferred = seen.length > 0 ? null : (inferredRing(view, waits) ?? everybodyWaits(look, view, waits));
  const rings = inferred === null ? seen : [inferred];
  if (rings.length > 0) return { verdict: 'fires', findings: rings.map((ring) => draftOf(look, waits, ring)) };
  if (waits.length === 0) return { verdict: 'clear', why: 'no thread waited for one lock the whole time' };
  const inHandler = view.threads.some((thread) =>
    thread.stacks.some((stack) => stack.frames.some((each) => each.signal !== null)),
  );
  const held = freeThreads(view, waits) > 0 || inHandler ? null : heldWait(look, view, waits);
  if (held !== null) return { verdict: 'fires', findings: [heldDraft(look, view, held)] };
  return { verdict: 'clear', why: `${count(waits.length, 'thread')} waited for a lock, but not for each other` };
};

/** Threads that wait for locks which they hold among themselves. */
export const threadDeadlock = defineCause({
  id: 'thread-deadlock',
  title: 'Threads wait for each other in a ring',
  needs: [],
  // Native locks are seen by the one, Python's by the other.
  needsOneOf: [sample, pyStacks],
  explains: ['event-loop-blocked', 'signal-storm', 'waiting-forever'],
  judge,
});
