import type { Look, PythonFrame } from '../model/index.ts';
import type { ChildrenData } from '../probes/children.ts';
import { sample } from '../probes/sample.ts';
import { inModule, lastName } from '../reading/lock-frames.ts';
import { waitsWithoutLimit } from '../reading/processes.ts';
import { isLibraryFile, ownFrame, type PythonThreadView, type PythonView } from '../reading/python.ts';
import { waitOfStack } from '../reading/python-waits.ts';
import { isAccept, isReadiness, isReceive, isSend, isSleep, sampledCalls } from '../reading/syscalls.ts';

/** Threads that were started to run the same function. */
export interface Crowd {
  /** The function that they were started with; the outermost frame that is not threading's. */
  readonly entry: PythonFrame | null;
  /** Where most of them stand, in the program's own code. */
  readonly place: PythonFrame | null;
  readonly threads: readonly PythonThreadView[];
  /** Workers of an executor, or threads that take jobs from a queue: their number is meant. */
  readonly pool: boolean;
  /** Executors to which they belong, by the threads' names; 0 when they belong to none. */
  readonly executors: number;
  /** What most of them wait for: `work` is a queue or a listening socket. */
  readonly waits: 'for-ever' | 'time' | 'socket' | 'work' | 'other';
}

const isBootstrap = (frame: PythonFrame): boolean =>
  inModule(frame, 'threading.py') &&
  /^(_bootstrap|_bootstrap_inner|__bootstrap|__bootstrap_inner|run)$/.test(lastName(frame));

/** The function that a thread was started with. */
const entryOf = (thread: PythonThreadView): PythonFrame | null => {
  const outward = thread.stacks[0]?.frames.toReversed() ?? [];
  // The main thread has no bootstrap, nor have threads that C started.
  if (outward[0] === undefined || !isBootstrap(outward[0])) return null;
  return outward.find((frame) => !isBootstrap(frame)) ?? outward[outward.length - 1] ?? null;
};

const isExecutor = (frame: PythonFrame | null): boolean =>
  frame !== null && inModule(frame, 'concurrent/futures/thread.py') && lastName(frame) === '_worker';

const waitsOf = (look: Look, thread: PythonThreadView): Crowd['waits'] => {
  const stack = thread.stacks[0];
  const kind = stack === undefined ? null : waitOfStack(stack).kind;
  if (kind === 'queue-get' || kind === 'process-queue') return 'work';
  const seen = look.see(sample);
  const own = seen.seen ? seen.data.threads.find((each) => each.tid === thread.tid) : undefined;
  const [call] = own === undefined ? [] : sampledCalls(own);
  if (call === undefined) return kind === null || kind === 'native' ? 'other' : 'for-ever';
  if (isAccept(call.name)) return 'work';
  if (isReceive(call.name) || isSend(call.name) || isReadiness(call.name))
    return call.fd?.startsWith('/') ? 'other' : 'socket';
  if (isSleep(call.name)) return 'time';
  if (waitsWithoutLimit({ syscall: call.name, args: [...call.args] })) return 'for-ever';
  return call.name.startsWith('futex') ? 'time' : 'other';
};

const mostCommon = <Item>(items: readonly Item[], key: (item: Item) => string): Item | null => {
  const groups = new Map<string, { item: Item; times: number }>();
  for (const item of items) {
    const known = groups.get(key(item));
    if (known === undefined) groups.set(key(item), { item, times: 1 });
    else known.times += 1;
  }
  return [...groups.values()].sort((a, b) => b.times - a.times)[0]?.item ?? null;
};

/** `ThreadPoolExecutor-12_0` belongs to the twelfth executor without a prefix of its own. */
const executorsOf = (threads: readonly PythonThreadView[]): number =>
  new Set(threads.flatMap((thread) => /^ThreadPoolExecutor-(\d+)_\d+$/.exec(thread.name)?.[1] ?? [])).size;

/** All groups of threads that were started with the same function, biggest first. */
export const crowdsOf = (look: Look, view: PythonView): Crowd[] => {
  const groups = new Map<string, { entry: PythonFrame; threads: PythonThreadView[] }>();
  for (const thread of view.threads) {
    const entry = entryOf(thread);
    if (entry === null) continue;
    const key = `${entry.file}\0${entry.function}\0${entry.firstLine}`;
    const known = groups.get(key);
    if (known === undefined) groups.set(key, { entry, threads: [thread] });
    else known.threads.push(thread);
  }
  return [...groups.values()]
    .map(({ entry, threads }): Crowd => {
      const places = threads.flatMap((thread) =>
        thread.stacks[0] === undefined ? [] : (ownFrame(thread.stacks[0]) ?? []),
      );
      const place = mostCommon(places, (frame) => `${frame.file}:${frame.line}`);
      const kinds = threads.slice(0, 60).map((thread) => waitsOf(look, thread));
      const executor = isExecutor(entry);
      return {
        entry,
        place: place !== null && !isLibraryFile(place.file) ? place : null,
        threads,
        pool: executor,
        executors: executor ? executorsOf(threads) : 0,
        waits: mostCommon(kinds, (kind) => kind) ?? 'other',
      };
    })
    .sort((a, b) => b.threads.length - a.threads.length);
};

/** Threads that came to stay, a minute; null when they did not become more. */
export const rateOf = (data: ChildrenData): number | null => {
  const net = data.threads.started - data.threads.ended;
  return net <= 0 || data.seconds <= 0 ? null : Math.round((net / data.seconds) * 60);
};

/** Whether the threads were started one after another over the life of the process, and not all at its start. */
export const startedSteadily = (ages: readonly number[]): boolean => {
  const [youngest, oldest] = [ages[1] ?? 0, ages[9] ?? 0];
  return oldest > 2 && oldest - youngest > 0.4 * (ages[10] ?? oldest);
};
