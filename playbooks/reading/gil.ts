import type { SampleData, SampledThread } from '../probes/sample.ts';
import { isFutex } from './syscalls.ts';

/** Waits for one condition with a time limit, by many threads: the interpreter lock's. */
export interface GilWaits {
  readonly threads: readonly SampledThread[];
  /** How many threads waited at a time, on average over the window. */
  readonly average: number;
  /** The evidence lines that show the waits, the longest first. */
  readonly lines: readonly number[];
}

interface TimedWait {
  readonly thread: SampledThread;
  readonly address: bigint;
  readonly count: number;
  readonly at: number;
}

const timedWaits = (thread: SampledThread): TimedWait[] =>
  thread.syscalls.flatMap((call) => {
    const [address = '', , , limit = ''] = call.args;
    if (!isFutex(call.name) || !/^0x[0-9a-f]{1,16}$/.test(address) || !/^0x[0-9a-f]{1,16}$/.test(limit)) return [];
    return BigInt(limit) === 0n ? [] : [{ thread, address: BigInt(address), count: call.count, at: call.at }];
  });

/** A condition variable of glibc has two groups of waiters, 4 bytes apart, in its 48 bytes (struct __pthread_cond_s). */
const CONDITION_BYTES = 48n;

/**
 * The waits for the interpreter lock of CPython 3: `take_gil` waits on the lock's one condition for an interval of 5 ms,
 * asks for the lock, and waits again (Python/ceval_gil.c). So these are the timed futex waits that most threads have on
 * one and the same condition; other timed waits, as of an idle pool, are each on an address of their own. Null when no two
 * threads were seen in such waits.
 */
export const gilWaits = (data: SampleData): GilWaits | null => {
  const waits = data.threads
    .flatMap(timedWaits)
    .sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  let best: TimedWait[] = [];
  for (let first = 0; first < waits.length; first += 1) {
    const start = waits[first]?.address ?? 0n;
    const group = waits.slice(first).filter((wait) => wait.address - start < CONDITION_BYTES);
    if (group.length > best.length) best = group;
  }
  const threads = [...new Set(best.map((wait) => wait.thread))];
  if (threads.length < 2 || data.samples === 0) return null;
  return {
    threads,
    average: best.reduce((sum, wait) => sum + wait.count, 0) / data.samples,
    lines: best.toSorted((a, b) => b.count - a.count).map((wait) => wait.at),
  };
};
