import path from 'node:path';
import { type PyHeapData, pyHeap } from '../../playbooks/probes/py-heap.ts';
import { type LiveProcess, startProcess } from './live-process.ts';
import { type RunProbeOptions, runProbe } from './run-probe.ts';
import { expectUnhurt, processState } from './unhurt.ts';

const TARGETS = path.join(import.meta.dirname, '../playbooks/probes/py-heap-targets');

/** What known.py says of its own heap. */
export interface Known {
  readonly counts: Record<string, number>;
  readonly lists: number;
  readonly sets: number;
  readonly deques: number;
  readonly functions: number;
  readonly points: number;
  readonly floats: number;
  readonly thresholds: readonly number[];
  readonly enabled: boolean;
}

/** Starts known.py, which makes COUNT orders and points, and gives what it says of itself. */
export const startKnown = async (python: string, count: number): Promise<{ live: LiveProcess; known: Known }> => {
  const live = await startProcess(python, ['-u', path.join(TARGETS, 'known.py'), String(count)]);
  return { live, known: JSON.parse(await live.line(/^\{/)) };
};

/** Starts another target and waits until it says that it stands. */
export const startTarget = async (
  program: string,
  python = '/usr/bin/python3',
  args: string[] = [],
): Promise<LiveProcess> => {
  const live = await startProcess(python, ['-u', path.join(TARGETS, program), ...args]);
  await live.line(/^standing/);
  return live;
};

/** Looks at the heap of a process; holds that it could be read and goes on as before. */
export const lookAtHeap = async (
  pid: number,
  run: Partial<RunProbeOptions> = {},
): Promise<{ data: PyHeapData; partly: readonly string[]; text: string }> => {
  const before = await processState(pid);
  const { parsed, evidence } = await runProbe(pyHeap, { pid, windowSeconds: 0.5, ...run });
  await expectUnhurt(pid, before);
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.why} ${Buffer.from(evidence.stderr)}`);
  return {
    data: pyHeap.data.parse(parsed.data),
    partly: parsed.partly ?? [],
    text: Buffer.from(evidence.stdout).toString(),
  };
};

/** The type of that name in a look. */
export const typeOf = (data: PyHeapData, name: string) => data.types.find((type) => type.name === name);
