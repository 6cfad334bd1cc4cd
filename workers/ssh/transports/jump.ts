import type { HostLookup, HostSettings, OpenSshHost, SshHost } from '../../../infra/hosts.ts';
import { LookFailed } from '../../../playbooks/model/index.ts';

/**
 * The host through which `host` is reached, undefined for none. `way`: names of the hosts that are to be reached through it. Throws
 * LookFailed `unknown-host` when it is not in the list, goes another way than by `host`'s transport, or is reached through itself.
 */
export const jumpOf = <Host extends SshHost | OpenSshHost>(
  host: Host,
  hosts: HostLookup,
  way: readonly string[],
): Host | undefined => {
  if (host.jump === undefined) return undefined;
  const alike = (other: HostSettings): other is Host => other.transport === host.transport;
  const jump = hosts(host.jump);
  if (jump === undefined || !alike(jump) || way.includes(jump.name)) {
    const sentence = `${host.name} is reached through ${host.jump}, which is no usable host of the list; correct its jump setting.`;
    throw new LookFailed('unknown-host', sentence);
  }
  return jump;
};
