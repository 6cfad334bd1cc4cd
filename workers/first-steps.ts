import type { KnownHost, Playbook, Probe, Request, StepContext } from '../playbooks/model/index.ts';
import { identify } from '../playbooks/probes/identify.ts';
import { permitted } from './approval.ts';
import type { Tools } from './investigate.ts';
import { type FirstSteps, FOUND_FIRST, type HostFacts } from './ssh/remote-step.ts';
import { remoteStep } from './stages/collect.ts';
import { type PlannedStep, plan, refusal } from './stages/plan.ts';

/** How much younger a process may be than the question: clocks differ, and questions take their time. See `beginLook`. */
const YOUNGER_MS = 2_000;

/** Steps that do nothing to a process, of the phases that run side by side once it is identified. */
const passive = ({ probe, always }: PlannedStep): boolean =>
  always && probe.id !== identify.id && !probe.ptraces && probe.impacts.every((impact) => impact === 'none');

/**
 * What a look begins with, so that a host far away is asked for all of it at once: who the process is, and, where an earlier
 * look told what the host has, the steps of impact `none` that follow. They are asked for again once the process is
 * identified; only those that turn out the same, of a process that started when it is found to have started, count. Rejects
 * when a probe's script cannot be read.
 */
export const firstSteps = async (
  request: Request,
  playbook: Playbook,
  tools: Pick<Tools, 'probes' | 'keepFolder' | 'now'>,
  facts: HostFacts | null,
): Promise<FirstSteps> => {
  const { host, pid } = request;
  const contextOf = (known: KnownHost | null, startTime: string, options: StepContext['options']): StepContext => ({
    target: { host, pid, startTime },
    windowSeconds: request.windowSeconds ?? playbook.windowSeconds,
    known,
    options,
    keepFolder: tools.keepFolder(host),
  });
  const who = { probe: identify as Probe, options: {}, always: true };
  const first = await remoteStep(who, contextOf(null, '0', {}), false);
  const ageSeconds = Math.max(0, (tools.now() - request.requestedAt - YOUNGER_MS) / 1000);
  if (facts === null) return { pid, ageSeconds, steps: [first] };
  // Of the process nothing is known: what depends on it is asked for anew.
  const known: KnownHost = { ...facts, runtime: { kind: 'python', version: null }, threads: 1, rssKib: 0 };
  const circumstances = { allow: permitted(request), known, startedBefore: new Set<string>() };
  const phases = plan(playbook, tools.probes, request.options);
  const steps = ([1, 2] as const)
    .flatMap((phase) => phases.get(phase) ?? [])
    .filter((step) => passive(step) && refusal(step, circumstances) === null);
  const startTime = request.startTime ?? FOUND_FIRST;
  const others = steps.map((step) => remoteStep(step, contextOf(known, startTime, step.options), true));
  return { pid, ageSeconds, steps: [first, ...(await Promise.all(others))] };
};
