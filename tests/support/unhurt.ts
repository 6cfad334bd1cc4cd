import { readdir, readFile } from 'node:fs/promises';
import { expect } from 'vitest';

/** What can be told about a process that a look must leave as it was. */
export interface ProcessState {
  /** Field 22 of /proc/PID/stat: tells a process from a later one with the same pid. */
  readonly startTime: string;
  /** One letter of proc(5), of the main thread. */
  readonly letter: string;
  /** Every thread's state letter and tracer (0 for none), by thread id. */
  readonly threads: ReadonlyMap<number, { readonly letter: string; readonly tracer: number }>;
}

const STOPPED = /^[Tt]$/;

/** Fields of a stat line after the name, which may itself hold spaces and parentheses; the first is the state. */
const statFields = (stat: string): string[] => stat.slice(stat.lastIndexOf(')') + 2).split(' ');

const threadState = async (pid: number, tid: string) => {
  const status = await readFile(`/proc/${pid}/task/${tid}/status`, 'latin1').catch(() => null);
  if (status === null) return null;
  return {
    letter: /^State:\t(\S)/m.exec(status)?.[1] ?? '?',
    tracer: Number(/^TracerPid:\t(\d+)/m.exec(status)?.[1] ?? Number.NaN),
  };
};

/** State of a process and its threads now. Throws when there is no such process. Threads that end meanwhile are left out. */
export const processState = async (pid: number): Promise<ProcessState> => {
  const fields = statFields(await readFile(`/proc/${pid}/stat`, 'latin1'));
  const threads = new Map<number, { letter: string; tracer: number }>();
  for (const tid of await readdir(`/proc/${pid}/task`)) {
    const state = await threadState(pid, tid);
    if (state !== null) threads.set(Number(tid), state);
  }
  return { startTime: fields[19] ?? '', letter: fields[0] ?? '?', threads };
};

/**
 * Holds that a look left its target as `before` says: the same process, alive, no thread traced, and stopped only when it
 * was stopped before the look.
 */
export const expectUnhurt = async (pid: number, before: ProcessState): Promise<void> => {
  const now = await processState(pid).catch(() => null);
  expect(now, `process ${pid} has ended`).not.toBeNull();
  if (now === null) return;
  expect(now.startTime, `process ${pid} is another one now`).toBe(before.startTime);
  expect(['Z', 'X'], `process ${pid} is dead`).not.toContain(now.letter);
  const traced = [...now.threads].filter(([, thread]) => thread.tracer !== 0).map(([tid]) => tid);
  expect(traced, `threads of ${pid} that are still traced`).toEqual([]);
  if (STOPPED.test(before.letter)) {
    expect(now.letter, `process ${pid} was stopped before the look and runs now`).toMatch(STOPPED);
    return;
  }
  const stopped = [...now.threads].filter(([, thread]) => STOPPED.test(thread.letter)).map(([tid]) => tid);
  expect(stopped, `threads of ${pid} that were left stopped`).toEqual([]);
};
