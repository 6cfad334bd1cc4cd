import { readdir } from 'node:fs/promises';
import { NO_SITE_RULES, type SiteRules } from '../infra/redact/redactor.ts';
import { BadPlaybooks, loadPlaybooks } from '../playbooks/catalog.ts';
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

/** The playbooks that there are, and what is wrong with those of the site, a line each with its place. */
export interface ExaminedPlaybooks {
  readonly ids: readonly string[];
  /** How many of them are the site's own. */
  readonly own: number;
  readonly faults: readonly string[];
}

/** Loads the playbooks as `loadKnowledge` does, and goes on where one is bad: its id is then its file's name. */
export const examinePlaybooks = async (siteFolder: string | undefined): Promise<ExaminedPlaybooks> => {
  const names = siteFolder === undefined ? [] : await readdir(siteFolder).catch(() => []);
  const own = names.filter((name) => /\.ya?ml$/.test(name)).map((name) => name.replace(/\.ya?ml$/, ''));
  const { playbooks, probes } = await loadKnowledge();
  const ids = [...new Set([...playbooks.keys(), ...own])];
  if (siteFolder === undefined) return { ids, own: 0, faults: [] };
  try {
    await loadPlaybooks([siteFolder], probes);
    return { ids, own: own.length, faults: [] };
  } catch (error) {
    if (!(error instanceof BadPlaybooks)) throw error;
    return { ids, own: own.length, faults: error.message.split('\n') };
  }
};
