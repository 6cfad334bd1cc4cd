import type { ConfigFault } from './config-faults.ts';
import { BadConfig } from './config-faults.ts';
import type { ConfigFile } from './config-file.ts';
import { globMatch } from './globs.ts';
import { completeHost, personalDefaults, withoutUndefined } from './hosts/complete.ts';
import type { HostDefaults } from './hosts/fields.ts';
import { type Inventory, type InventorySettings, inSiteFolder, openInventory } from './hosts/inventory.ts';
import { type HostLookup, HostSettings, hostLookup, readHosts } from './hosts.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** How to reach a host that no inventory has, as a terminal user asks for it: `--user`, `--port` and so on. */
export const hostFromCommandLine = (
  name: string,
  reach: HostDefaults,
  env: Environment = process.env,
): HostSettings => {
  const personal = personalDefaults(env);
  if (reach.identityFile !== undefined) delete personal.agent;
  const parsed = HostSettings.safeParse(completeHost({ name, ...withoutUndefined(reach) }, {}, personal));
  if (!parsed.success) throw new BadConfig(parsed.error.issues.map((issue) => `${name}: ${issue.message}`));
  return parsed.data;
};

/** The hosts of a site as the configuration says them. */
export interface SiteHosts {
  /** Those of the list that can be used. */
  readonly listed: readonly HostSettings[];
  readonly known: HostLookup;
  /** A host as a rule with these settings reaches it. Throws BadConfig when nothing can be reached so. */
  readonly byRule: (name: string, settings: HostDefaults) => HostSettings;
  readonly inventory: Inventory;
  /** An inventory of these sources alone. */
  readonly inventoryOf: (settings: InventorySettings) => Inventory;
  readonly faults: readonly ConfigFault[];
}

/** Opens what `hosts`, `hostRules`, `hostDefaults` and `inventory` say. Nothing is read from an inventory yet. */
export const openHosts = (data: ConfigFile, base: string, env: Environment): SiteHosts => {
  const personal = personalDefaults(env);
  const { hosts: listed, faults } = readHosts(data.hosts.map((own) => completeHost(own, data.hostDefaults, personal)));
  const inList = hostLookup(listed);
  const ruleFor = (name: string): HostDefaults | undefined => {
    const rule = data.hostRules.find((each) => globMatch(each.match, name));
    if (rule === undefined) return undefined;
    const { match: _match, ...settings } = rule;
    return withoutUndefined(settings);
  };
  const byRule = (name: string, rule: HostDefaults): HostSettings =>
    hostFromCommandLine(name, { ...withoutUndefined(data.hostDefaults), ...withoutUndefined(rule) }, env);
  const byRules: HostLookup = (name) => {
    const rule = ruleFor(name);
    return rule && byRule(name, rule);
  };
  const inventoryOf = (settings: InventorySettings): Inventory =>
    openInventory(inSiteFolder(settings, base), (entry, isSshConfig) => {
      const site = { ...data.hostDefaults, ...(typeof entry.name === 'string' ? ruleFor(entry.name) : {}) };
      // How a host of an ssh_config is reached is said there.
      const said = isSshConfig ? { sudo: site.sudo, keepFolder: site.keepFolder, runner: site.runner } : site;
      return completeHost(entry, said, personal);
    });
  const inventory = inventoryOf(data.inventory);
  return {
    listed,
    known: (name) => inList(name) ?? inventory.lookup(name) ?? byRules(name),
    byRule,
    inventory,
    inventoryOf,
    faults: faults.map(({ path, message }) => ({ path: ['hosts', ...path], message })),
  };
};
