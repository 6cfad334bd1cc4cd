import type { Evidence, StepContext } from '../../playbooks/model/index.ts';
import { readProbeScript } from '../../playbooks/registry.ts';
import type { HostShell, RemoteStep } from '../ssh/shell.ts';
import type { PlannedStep } from './plan.ts';

/** Gives out evidence ids in the order in which steps end: `E1`, `E2`, … */
export type NextEvidenceId = () => string;

/** Starts at `E1`. */
export const evidenceIds = (): NextEvidenceId => {
  let last = 0;
  return () => `E${++last}`;
};

/** The command as a person reads it: arguments quoted only where a shell would need it, carried scripts by name. */
const displayCommand = (argv: readonly string[]): string =>
  argv
    .map((word) => word.replace(/\{script:([^}]+)\}/g, '$1'))
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, `'\\''`)}'`))
    .join(' ');

/** A step as the host is asked for it. Throws when a script that belongs to the probe cannot be read here. */
export const remoteStep = async (
  { probe }: PlannedStep,
  context: StepContext,
  guarded: boolean,
): Promise<RemoteStep> => {
  const command = probe.command(context);
  const scripts = await Promise.all(
    (command.scripts ?? []).map(async (name) => ({ name, content: await readProbeScript(name) })),
  );
  const { pid, startTime } = context.target;
  return {
    id: probe.id,
    argv: command.argv,
    scripts,
    seconds: probe.limits.seconds(context),
    bytes: probe.limits.bytes,
    endWith: probe.limits.endWith,
    ptraces: probe.ptraces,
    target: guarded ? { pid, startTime } : null,
  };
};

/**
 * Runs one step on the host and gives its evidence. Trouble on the host is data in it; throws only when a script that
 * belongs to the probe cannot be read here. `onSent` hears when the host has been asked.
 */
export const collectStep = async (
  shell: HostShell,
  step: PlannedStep,
  context: StepContext,
  nextId: NextEvidenceId,
  guarded: boolean,
  onSent: () => void = () => {},
): Promise<Evidence> => {
  const remote = await remoteStep(step, context, guarded);
  const running = shell.run(remote);
  onSent();
  const result = await running;
  return { id: nextId(), probe: step.probe.id, command: displayCommand(remote.argv), ...result };
};
