import { defineCause, type FindingDraft, type Fix, type Look, type PythonFrame, type Verdict } from '../model/index.ts';
import { cpuLimits } from '../probes/cpu-limits.ts';
import { identify } from '../probes/identify.ts';
import { pyStacks } from '../probes/py-stacks.ts';
import { type SampleData, type SampledThread, sample } from '../probes/sample.ts';
import { gilWaits } from '../reading/gil.ts';
import { isLibraryFile, ownFrame, type PythonView, pythonThreads, quoteFrame } from '../reading/python.ts';
import { stateShare } from '../reading/syscalls.ts';
import { code, count, duration, list, percent } from '../reading/text.ts';

/** Threads that wait for the interpreter lock at a time, on average, from which on this is worth a hint, a finding, and sure. */
const WAITING_HINT = 0.5;
const WAITING_FAULT = 0.85;
const WAITING_SURE = 1.5;
/** Processors in use above which the threads do run beside each other, in native code that lets go of the lock. */
const BESIDE = 1.4;

/** What one function of the program had of the interpreter lock. */
interface Share {
  readonly frame: PythonFrame;
  readonly evidenceId: string;
  readonly threads: number;
  /** Looks in which one of these threads held the lock. */
  readonly held: number;
  readonly at: number;
}

/** Who holds the lock and who is in which function, by the function of the program that a thread was seen in most. */
const sharesOf = (view: PythonView): Share[] => {
  const shares = new Map<string, Share>();
  for (const thread of view.threads) {
    const [stack] = thread.stacks;
    // A helper of a library, or a generator expression, is not what a person would look for.
    const named = stack?.frames.find((frame) => !isLibraryFile(frame.file) && !frame.function.endsWith('>'));
    const frame = named ?? (stack === undefined ? null : ownFrame(stack));
    if (frame === null || (thread.gil ?? 0) === 0) continue;
    const key = `${frame.file}\0${frame.function}`;
    const known = shares.get(key);
    shares.set(key, {
      frame: known?.frame ?? frame,
      evidenceId: thread.evidenceId,
      threads: (known?.threads ?? 0) + 1,
      held: (known?.held ?? 0) + (thread.gil ?? 0),
      at: known?.at ?? thread.at,
    });
  }
  return [...shares.values()].sort((a, b) => b.held - a.held);
};

/** Why threads could not run beside each other anyway; null when they could. */
const onlyOne = (look: Look): string | null => {
  const limits = look.see(cpuLimits);
  const who = look.see(identify);
  const allowed = limits.seen ? limits.data.processors.allowed : who.seen ? who.data.host.cpus : 2;
  if (allowed < 2)
    return 'the process may use one processor only, so that its threads take turns whatever the lock does';
  const quotas = limits.seen ? limits.data.groups.flatMap((group) => (group.quota === null ? [] : [group.quota])) : [];
  const least = Math.min(Number.POSITIVE_INFINITY, ...quotas.map((quota) => quota.micros / quota.periodMicros));
  return least < 1.3
    ? 'its control group may use hardly more than one processor, so that its threads take turns whatever the lock does'
    : null;
};

interface Contention {
  readonly waiting: number;
  readonly running: number;
  readonly waiters: number;
  /** Share of the looks at the Python stacks in which some thread held the lock. */
  readonly held: number;
  readonly lines: readonly number[];
}

const plainName = (frame: PythonFrame | undefined): string => frame?.function.split('.').at(-1) ?? 'work';

const fixesFor = (shares: readonly Share[], pid: number): Fix[] => {
  const [first] = shares;
  const name = plainName(first?.frame);
  const place =
    first === undefined
      ? 'the threads'
      : `${code(first.frame.function)} (${code(`${first.frame.file}:${first.frame.line}`)})`;
  return [
    {
      title: 'Let processes do what threads cannot do side by side',
      detail: `Python code of one process runs in one thread at a time. Move ${place} into processes; its arguments and results must be picklable. A server gets more worker processes with fewer threads each.`,
      code: `from concurrent.futures import ProcessPoolExecutor   # instead of ThreadPoolExecutor\nwith ProcessPoolExecutor() as pool:\n    results = list(pool.map(${name}, items))\n# a server: gunicorn --workers $(nproc) --threads 2 …`,
    },
    {
      title: 'Or let native code do it, which lets go of the lock',
      detail: `NumPy, zlib, hashlib and compiled code (Cython’s nogil, Numba’s nogil=True) run beside each other in threads; from Python 3.13 on there is a build without the lock (python3.13t). Fewer threads at once lose nothing: a queue in front of two threads answers as fast as twenty that take turns.`,
      code: `pool = ThreadPoolExecutor(max_workers=2)`,
    },
    {
      title: 'Verify',
      detail: 'The process must use more than one processor, and its threads hardly wait in futex calls.',
      code: `top -H -b -n 1 -p ${pid} | head -20`,
    },
  ];
};

const findingOf = (
  look: Look,
  data: SampleData,
  evidenceId: string,
  view: PythonView,
  found: Contention,
): FindingDraft => {
  const shares = sharesOf(view);
  const total = shares.reduce((sum, each) => sum + each.held, 0);
  const names = shares
    .slice(0, 3)
    .map((each) => `${code(each.frame.function, 80)} (${code(`${each.frame.file}:${each.frame.line}`)})`);
  const fault = found.waiting >= WAITING_FAULT && found.held >= 0.6;
  const cpu = (data.process.userSeconds + data.process.systemSeconds) / data.seconds;
  // Where the host itself is short of processors, it cannot be seen who of them waits for which.
  const starved = cpu < 0.6;
  const sure = found.waiting >= WAITING_SURE && found.held >= 0.7 && !starved;
  const confidence = sure ? 0.92 : fault ? 0.7 : 0.4;
  const told = shares
    .slice(0, 4)
    .map(
      (each) =>
        `${code(each.frame.function, 60)} ${percent(each.held / Math.max(1, total))} (${count(each.threads, 'thread')})`,
    );
  const first = shares[0];
  return {
    confidence,
    title: `${count(found.waiters, 'thread')} take turns with the interpreter lock in ${list(names.slice(0, 2)) || 'Python code'}: one runs, ${found.waiting.toFixed(1)} wait`,
    summary:
      `Over ${duration(data.seconds)}, on average ${found.running.toFixed(1)} of its threads could run, and ${found.waiting.toFixed(1)} more waited for the interpreter lock (futex waits with a time limit on one address, ended every few milliseconds to ask for it). ` +
      `The process used ${percent(cpu)} of one processor, though it has more threads that want to run. ` +
      (told.length === 0 ? '' : `Of the looks in which somebody held the lock, these had: ${list(told)}. `) +
      'More threads make this slower, not faster.' +
      (sure
        ? ''
        : starved
          ? ' Inferred: that it is the lock and not the host that holds them up; the process got less than one processor.'
          : ' Inferred: that the turns matter; only one thread or so waits at a time.'),
    evidence: [
      ...found.lines.slice(0, 3).map((line) => look.quote(evidenceId, line)),
      ...shares.slice(0, 2).map((each) => look.quote(each.evidenceId, each.at)),
      ...(first === undefined
        ? []
        : view.threads
            .filter((thread) => thread.at === first.at)
            .slice(0, 1)
            .map((thread) => quoteFrame(look, thread, first.frame))),
    ],
    fixes: fixesFor(shares, look.target.pid),
  };
};

const verdictOf = (look: Look, data: SampleData, evidenceId: string, view: PythonView, version: string): Verdict => {
  const waits = gilWaits(data);
  const ready = (threads: readonly SampledThread[]) =>
    threads.reduce((sum, thread) => sum + (stateShare(thread, 'R') * thread.samples) / data.samples, 0);
  const cpu = (data.process.userSeconds + data.process.systemSeconds) / data.seconds;
  const running = ready(data.threads);
  // Of those that take turns, one has the lock: who else is ready to run has only just been woken to ask for it again.
  const waiting = waits === null ? 0 : waits.average + Math.max(0, ready(waits.threads) - 1);
  if (waits === null || waiting < WAITING_HINT) {
    const why =
      waits === null
        ? 'no two threads wait for the interpreter lock'
        : `on average ${waiting.toFixed(1)} threads wait for the interpreter lock, and ${running.toFixed(1)} run`;
    return { verdict: 'clear', why };
  }
  if (version.startsWith('2.')) {
    return {
      verdict: 'cannot-tell',
      why: 'the interpreter lock of Python 2 is waited for without a time limit, like any other lock',
    };
  }
  if (cpu > BESIDE) {
    return {
      verdict: 'clear',
      why: `its threads run beside each other: ${running.toFixed(1)} at a time, on ${cpu.toFixed(1)} processors`,
    };
  }
  const one = onlyOne(look);
  if (one !== null) return { verdict: 'cannot-tell', why: one };
  const looks = Math.max(1, ...view.threads.map((thread) => thread.samples));
  const held = Math.min(1, view.threads.reduce((sum, thread) => sum + (thread.gil ?? 0), 0) / looks);
  if (running < 0.5 || held < 0.4) {
    return {
      verdict: 'clear',
      why: `the interpreter lock was held in ${percent(held)} of the looks, so that it is free for who wants it`,
    };
  }
  const found: Contention = {
    waiting,
    running: Math.min(running, 1),
    waiters: waits.threads.length,
    held,
    lines: waits.lines,
  };
  return { verdict: 'fires', findings: [findingOf(look, data, evidenceId, view, found)] };
};

/** Threads that want to run Python code wait for each other's turn with the interpreter lock. */
export const gilContention = defineCause({
  id: 'gil-contention',
  title: 'Threads wait for the interpreter lock',
  needs: [sample, pyStacks],
  explains: [],
  judge: (look) => {
    const sampled = look.see(sample);
    const stacks = look.see(pyStacks);
    const view = pythonThreads(look);
    if (!sampled.seen) return { verdict: 'cannot-tell', why: sampled.why, wants: [sample.id] };
    if (!stacks.seen || view === null || !view.sampled) {
      return { verdict: 'cannot-tell', why: 'no Python stacks were read over a window' };
    }
    if (sampled.data.seconds < 0.4 || sampled.data.samples < 8) {
      return { verdict: 'cannot-tell', why: 'the window was too short' };
    }
    return verdictOf(look, sampled.data, sampled.evidenceId, view, stacks.data.version);
  },
});
