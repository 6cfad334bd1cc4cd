import { loadPlaybooks } from '../playbooks/catalog.ts';
import type { Cause, Playbook, Probe } from '../playbooks/model/index.ts';
import { catalogFolder, loadCauses, loadProbes } from '../playbooks/registry.ts';

/** All that this program knows of tools, faults and procedures. */
export interface Knowledge {
  readonly probes: ReadonlyMap<string, Probe>;
  readonly causes: ReadonlyMap<string, Cause>;
  readonly playbooks: ReadonlyMap<string, Playbook>;
}

/**
 * Loads probes, causes and playbooks, with a site's own playbooks from `siteFolder` over the catalog's.
 * Throws BadPlaybooks with file, line and reason when one cannot be used.
 */
export const loadKnowledge = async (siteFolder?: string): Promise<Knowledge> => {
  const [probes, causes] = await Promise.all([loadProbes(), loadCauses()]);
  const folders = siteFolder === undefined ? [catalogFolder] : [catalogFolder, siteFolder];
  return { probes, causes, playbooks: await loadPlaybooks(folders, probes) };
};
