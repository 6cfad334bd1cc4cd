import type { SampleData, SampledThread } from '../probes/sample.ts';
import { cpuShare, isFutex, runningShare, sampledCalls, stateShare } from './syscalls.ts';

/** A thread that wanted a processor for (nearly) the whole window. */
export interface Burner {
  readonly thread: SampledThread;
  /** CPU time over wall time, 0 to 1. */
  readonly share: number;
  /** The part of its CPU time that was spent in the kernel, 0 to 1. */
  readonly system: number;
  /** It was seen in no system call at all, besides waiting for the interpreter lock, and the kernel did nothing for it. */
  readonly silent: boolean;
}

/** Share of samples in waits for the interpreter lock, which other threads of an interpreter that is busy too impose. */
const futexShare = (thread: SampledThread): number =>
  sampledCalls(thread).reduce((sum, call) => sum + (isFutex(call.name) ? call.share : 0), 0);

/**
 * Whether a thread wanted a processor all the time: it used nearly one, or less than that only because it had to share
 * processors (always runnable) or the interpreter lock (never in another wait than the one for the lock, while the threads
 * of the process together were always runnable).
 */
const burns = (thread: SampledThread, data: SampleData): boolean => {
  const share = cpuShare(thread, data.seconds);
  if (share >= 0.8) return true;
  const runnable = stateShare(thread, 'R');
  if (share < 0.02) return false;
  if (runnable >= 0.95) return true;
  const together = data.threads.reduce((sum, each) => sum + stateShare(each, 'R'), 0);
  return together >= 0.95 && runnable >= 0.2 && runningShare(thread) + futexShare(thread) >= 0.97;
};

const isSilent = (thread: SampledThread): boolean => {
  const total = thread.userSeconds + thread.systemSeconds;
  const other = sampledCalls(thread).filter((call) => !isFutex(call.name));
  return other.length === 0 && (total === 0 || thread.systemSeconds / total < 0.1);
};

/** The threads that burnt CPU over the whole window, the hottest first. Empty when the window was too short to tell. */
export const burners = (data: SampleData): Burner[] =>
  data.seconds < 0.4
    ? []
    : data.threads
        .filter((thread) => thread.samples >= 4 && burns(thread, data))
        .map((thread) => {
          const total = thread.userSeconds + thread.systemSeconds;
          return {
            thread,
            share: cpuShare(thread, data.seconds),
            system: total === 0 ? 0 : thread.systemSeconds / total,
            silent: isSilent(thread),
          };
        })
        .sort((a, b) => b.share - a.share);
