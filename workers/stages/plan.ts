import {
  formatImpacts,
  type Impact,
  impactsNotAllowed,
  type KnownHost,
  LookFailed,
  type Observation,
  type Phase,
  type Playbook,
  type Probe,
  type ProbeOptions,
} from '../../playbooks/model/index.ts';

/** A step of the look: a probe with its parsed options. */
export interface PlannedStep {
  readonly probe: Probe;
  readonly options: Readonly<Record<string, unknown>>;
  readonly always: boolean;
}

/** The steps of a playbook by phase, least intrusive first. */
export type Plan = ReadonlyMap<Phase, readonly PlannedStep[]>;

const PHASES: readonly Phase[] = [1, 2, 3, 4, 5, 6];

/** The step's options with those that were asked for on top. Throws LookFailed for ones that the probe does not take. */
const optionsOf = (probe: Probe, own: object, asked: object | undefined): Record<string, unknown> => {
  if (asked === undefined) return probe.options.parse(own);
  const parsed = probe.options.safeParse({ ...own, ...asked });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? '' : ` (${issue.path.join('.').slice(0, 60)})`;
  throw new LookFailed(
    'bad-request',
    `${probe.id} does not take what was asked for${where}: ${(issue?.message ?? 'it is not valid').slice(0, 200)}.`,
  );
};

/**
 * Orders a playbook's steps into phases. In phases 1 and 2 a step runs always unless the playbook says otherwise. `asked`
 * are the request's own options by probe. Throws LookFailed when a probe does not take them, or is no part of the playbook.
 */
export const plan = (playbook: Playbook, probes: ReadonlyMap<string, Probe>, asked: ProbeOptions = {}): Plan => {
  const stranger = Object.keys(asked).find((id) => !playbook.steps.some((step) => step.probe === id));
  if (stranger !== undefined) {
    throw new LookFailed('bad-request', `The playbook ${playbook.id} has no step ${stranger}, so it takes no options.`);
  }
  const steps = playbook.steps.flatMap((step): PlannedStep[] => {
    const probe = probes.get(step.probe);
    if (probe === undefined) return [];
    const when = step.when ?? (probe.phase <= 2 ? 'always' : 'wanted');
    return [{ probe, options: optionsOf(probe, step.options, asked[probe.id]), always: when === 'always' }];
  });
  return new Map(PHASES.map((phase) => [phase, steps.filter((step) => step.probe.phase === phase)]));
};

/** What decides whether a step may run now. */
export interface Circumstances {
  readonly allow: readonly Impact[];
  readonly known: KnownHost | null;
  /** Probes with an impact that an earlier delivery of this request had started. */
  readonly startedBefore: ReadonlySet<string>;
}

/** Why a planned step is not run, as the observation it leaves; null when it may run. */
export const refusal = (step: PlannedStep, now: Circumstances): Observation<never> | null => {
  const { probe } = step;
  const refuse = (reason: 'not-allowed' | 'missing-tool' | 'not-applicable' | 'interrupted', why: string) =>
    ({ seen: false, reason, why }) as const;
  const forbidden = impactsNotAllowed(probe.impacts, now.allow);
  if (forbidden.length > 0) {
    return refuse(
      'not-allowed',
      `${probe.id} was not run: it ${describeImpacts(forbidden)}, which this look was not allowed to do (${formatImpacts(forbidden)})`,
    );
  }
  if (now.startedBefore.has(probe.id)) {
    return refuse(
      'interrupted',
      `${probe.id} was started by an earlier run of this look that was interrupted; it is not run twice`,
    );
  }
  if (now.known === null) return null;
  if (probe.needs.pythonTarget === true && now.known.runtime.kind !== 'python') {
    return refuse('not-applicable', `${probe.id} is for Python processes, and this is none`);
  }
  if (probe.needs.python === true && now.known.python === null) {
    return refuse('missing-tool', `${probe.id} needs a Python 3.6 or newer on the host, and there is none`);
  }
  for (const choice of probe.needs.anyOf ?? []) {
    if (!choice.some((tool) => now.known?.tools[tool] !== undefined)) {
      return refuse('missing-tool', `${probe.id} needs ${choice.join(' or ')} on the host, and it is not installed`);
    }
  }
  return null;
};

const IMPACT_WORDS: Record<Impact, string> = {
  none: 'does nothing to the process',
  slows: 'slows the process',
  stops: 'stops the process for a moment',
  'writes-disk': 'writes to the disk of the host',
  'risks-death': 'may end the process',
};

const describeImpacts = (impacts: readonly Impact[]): string =>
  impacts.map((impact) => IMPACT_WORDS[impact]).join(' and ');
