import type { HostLookup } from '../infra/hosts.ts';
import { LookFailed } from '../playbooks/model/index.ts';
import { closeConnections, type FirstStepsOf, type HostShell, openShell } from './ssh/shell.ts';

/** Opens shells by host name over one set of warm connections. */
export interface ShellOpener {
  /** Throws LookFailed when the name is not in the inventory or the host cannot be reached. `first`: see `openShell` of workers/ssh. */
  readonly openShell: (host: string, first?: FirstStepsOf) => Promise<HostShell>;
  readonly close: () => Promise<void>;
}

const settingsOf = (hosts: HostLookup, name: string) => {
  const settings = hosts(name);
  if (settings === undefined) {
    throw new LookFailed(
      'unknown-host',
      `I know no host called ${name}. Add it to the inventory (hosts or hostRules in the configuration), or check the name.`,
    );
  }
  return settings;
};

/** Opens shells on the hosts of an inventory. */
export const shellOpener = (hosts: HostLookup): ShellOpener => ({
  openShell: async (name, first) => openShell(settingsOf(hosts, name), hosts, {}, first),
  close: closeConnections,
});

/** Where files that outlive a look are kept on a host. */
export const keepFolderOf =
  (hosts: HostLookup) =>
  (name: string): string =>
    settingsOf(hosts, name).keepFolder;
