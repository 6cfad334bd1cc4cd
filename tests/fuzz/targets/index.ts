import { loadCauses, loadProbes } from '../../../playbooks/registry.ts';
import type { Target } from '../target.ts';
import { alertTargets } from './alerts.ts';
import { hostTargets, probeTargets, ruleTarget } from './hosts.ts';
import { peopleTargets } from './people.ts';
import { textTargets } from './texts.ts';

/** Every reader of what comes from outside. */
export const allTargets = async (): Promise<Target[]> => {
  const [probes, causes] = await Promise.all([loadProbes(), loadCauses()]);
  return [
    ...probeTargets(probes),
    ruleTarget(causes, probes),
    ...hostTargets,
    ...peopleTargets,
    ...alertTargets,
    ...textTargets(probes),
  ];
};
