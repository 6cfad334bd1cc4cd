import { NO_SITE_RULES, type SiteRules } from '../infra/redact/redactor.ts';
import { loadPlaybooks } from '../playbooks/catalog.ts';
import type { Cause, Playbook, Probe } from '../playbooks/model/index.ts';
import { catalogFolder, loadCauses, loadProbes } from '../playbooks/registry.ts';

/** All that this program knows of tools, faults and procedures. */
export interface Knowledge {
  readonly probes: ReadonlyMap<string, Probe>;
  readonly causes: ReadonlyMap<string, Cause>;
  readonly playbooks: ReadonlyMap<string, Playbook>;
  /** What the site knows to be secret, and what not. */
  readonly redaction: SiteRules;
}

/**
 * Loads probes, causes and playbooks, with a site's own playbooks from `siteFolder` over the catalog's.
 * Throws BadPlaybooks with file, line and reason when one cannot be used.
 */
export const loadKnowledge = async (siteFolder?: string, redaction: SiteRules = NO_SITE_RULES): Promise<Knowledge> => {
  const [probes, causes] = await Promise.all([loadProbes(), loadCauses()]);
  const folders = siteFolder === undefined ? [catalogFolder] : [catalogFolder, siteFolder];
  return { probes, causes, redaction, playbooks: await loadPlaybooks(folders, probes) };
};
