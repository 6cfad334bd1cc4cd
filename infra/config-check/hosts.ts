import { unknownAlertHosts } from '../alert-routes.ts';
import type { ExaminedConfig } from '../config.ts';
import { BadConfig, type ConfigFault } from '../config-faults.ts';
import type { HostSettings } from '../hosts.ts';

/** A name that a pattern takes. */
const exampleOf = (pattern: string): string => pattern.replaceAll('*', 'x');

/** A lookup that says of a name with bad settings that there is none. */
const tryLookup =
  ({ hosts }: ExaminedConfig) =>
  (name: string): HostSettings | undefined => {
    try {
      return hosts.known(name);
    } catch (error) {
      if (error instanceof BadConfig) return undefined;
      throw error;
    }
  };

/** What only shows when a rule is used: that a host made by it could not be reached. */
const ruleFaults = (examined: ExaminedConfig): ConfigFault[] =>
  examined.data.hostRules.flatMap((rule, index): ConfigFault[] => {
    const at = ['hostRules', index];
    // Listed hosts and rules above win over it, which is no fault; so the rule is tried by itself.
    const { match, ...settings } = rule;
    const { jump } = settings;
    const unknown = jump !== undefined && tryLookup(examined)(jump) === undefined;
    const faults = unknown ? [{ path: [...at, 'jump'], message: `jump host ${jump} is no host of the site` }] : [];
    try {
      examined.hosts.byRule(exampleOf(match), settings);
      return faults;
    } catch (error) {
      if (!(error instanceof BadConfig)) throw error;
      return [...faults, ...error.message.split('\n').map((message) => ({ path: at, message }))];
    }
  });

/**
 * What is wrong with rules and inventories. Reads the inventories, which may run a program of the site, and then knows whether hosts
 * that alerts name are there at all.
 */
export const hostFaults = async (examined: ExaminedConfig): Promise<ConfigFault[]> => {
  const { data, hosts } = examined;
  const read = await Promise.all(
    data.inventory.sources.map(async (source, index) => {
      const faults = await hosts.inventoryOf({ ...data.inventory, sources: [source] }).refresh();
      return faults.map((message): ConfigFault => ({ path: ['inventory', 'sources', index], message }));
    }),
  );
  const unread = read.flat();
  await hosts.inventory.refresh();
  // Without its list a source is told once, not each of its hosts.
  const unknown =
    unread.length > 0 || !hosts.inventory.any
      ? []
      : unknownAlertHosts(data.alerts, (name) => tryLookup(examined)(name) !== undefined);
  return [
    ...ruleFaults(examined),
    ...unread,
    ...unknown.map(({ path, message }) => ({ path: ['alerts', ...path], message })),
  ];
};
