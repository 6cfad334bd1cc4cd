import { type NativeMotionData, nativeMotion } from '../probes/native-motion.ts';
import type { Burner } from '../reading/cpu.ts';
import { cpuShare } from '../reading/syscalls.ts';
import { code, count, duration, kib } from '../reading/text.ts';
import { type Scene, silence } from './busy-loop.findings.ts';

/** Fewer looks, or a shorter time, show too little. */
const LEAST_LOOKS = 40;
const LEAST_SECONDS = 1.5;
/** One return would do for a machine without neighbours; three leave no room for an accident. */
const LEAST_RETURNS = 3;

/** What the looks at a thread's registers and memory show. */
export interface StatesSeen {
  readonly evidenceId: string;
  readonly data: NativeMotionData;
  /** It was again exactly as it had been, over and over. */
  readonly returns: boolean;
  /** Progress is ruled out, but for what is inferred. */
  readonly decided: boolean;
  readonly confidence: number;
  /** What was seen and what is inferred, in sentences. */
  readonly says: string;
}

const complete = ({ looks, seconds, memory }: NativeMotionData): boolean =>
  looks >= LEAST_LOOKS && seconds >= LEAST_SECONDS && memory.notWatchedKib === 0 && memory.pagesElsewhere === 0;

/** From where what it reads may change, so that a thread that always is as it was may still come to an end by design. */
const mayBeEnded = (scene: Scene, burner: Burner, data: NativeMotionData): string | null => {
  const [mapped] = data.shared;
  if (mapped !== undefined) return `it shares memory (${code(mapped, 120)}), and what ends it may come from there`;
  if (data.places.some(({ module }) => module === '[vdso]'))
    return 'it asks for the time, so it may end at some moment';
  if (data.inSystemCalls > 0) return 'it makes system calls, and what ends it may come from them';
  const { threads, seconds } = scene.sampled.data;
  const active = threads.filter(
    (thread) => thread !== burner.thread && (cpuShare(thread, seconds) >= 0.005 || (thread.states.R ?? 0) > 0),
  );
  return active.length > 0 ? 'other threads of the process were at work, and what ends it may come from them' : null;
};

const returnsSentence = ({ looks, seconds, states, memory }: NativeMotionData): string =>
  ` In ${count(looks, 'look')} over ${duration(seconds)} it came back ${count(states.returns, 'time')} to exactly a state that it had been in before: the same registers, and the same ${kib(memory.watchedKib)} of memory that it can write.`;

/**
 * What the looks at the states of a thread say of it; null when they were not taken, or at another thread. A machine that is
 * exactly as it was goes on as it did: only what comes from outside, which is ruled out or inferred, can end such a loop.
 */
export const statesOf = (scene: Scene, burner: Burner): StatesSeen | null => {
  const seen = scene.look.see(nativeMotion);
  if (!seen.seen || seen.data.tid !== burner.thread.tid) return null;
  const { data, evidenceId } = seen;
  const { states } = data;
  const returns = complete(data) && states.returns >= LEAST_RETURNS && states.acrossWindow >= 1;
  const base = { evidenceId, data, returns };
  if (!returns) {
    const moved = states.returns === 0 && data.looks >= LEAST_LOOKS;
    const says = moved
      ? ` In ${count(data.looks, 'look')} over ${duration(data.seconds)} it was never twice in the same state, so it may well get on.`
      : ' Looks at its registers and its memory do not show whether it comes back to the same states.';
    return { ...base, decided: false, confidence: 0.35, says };
  }
  const ended = mayBeEnded(scene, burner, data);
  if (ended !== null) {
    return { ...base, decided: false, confidence: 0.45, says: `${returnsSentence(data)} But ${ended}.` };
  }
  const traced = silence(scene, burner)?.kind === 'silent';
  const others = scene.sampled.data.threads.length - 1 + scene.sampled.data.threadsNotSampled;
  const silent = traced ? ' strace saw not a single system call of it, so it reads, writes and waits for nothing.' : '';
  const inferred =
    others > 0
      ? ` Inferred: that no signal and none of the ${count(others, 'other thread')}, which slept, is to end it.`
      : ' Inferred: that no signal is to end it.';
  return {
    ...base,
    decided: true,
    confidence: (traced ? 0.8 : 0.7) - (others > 0 ? 0.05 : 0),
    says: `${returnsSentence(data)} What is in the same state again does the same again, so it goes round without an end.${silent}${inferred}`,
  };
};
