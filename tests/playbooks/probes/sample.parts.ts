import type { Parsed } from '../../../playbooks/model/index.ts';
import { SampleData, type SampledThread, sample } from '../../../playbooks/probes/sample.ts';
import { type RunProbeOptions, runProbe } from '../../support/run-probe.ts';

/** What it saw. Throws when it could not be read. */
export const dataOf = (parsed: Parsed<SampleData>): SampleData => {
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.why}`);
  return SampleData.parse(parsed.data);
};

/** What it could not see. */
export const partly = (parsed: Parsed<SampleData>): string =>
  parsed.ok ? (parsed.partly ?? []).join('; ') : parsed.why;

/** A thread that it saw; throws when it did not. */
export const threadOf = (data: SampleData, tid: number): SampledThread => {
  const thread = data.threads.find((one) => one.tid === tid);
  if (thread === undefined) throw new Error(`thread ${tid} was not sampled`);
  return thread;
};

/** Samples a live process for 0.6 s. */
export const look = (pid: number, more: Partial<RunProbeOptions> = {}) =>
  runProbe(sample, { pid, windowSeconds: 0.6, ...more });
