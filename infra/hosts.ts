import { z } from 'zod';
import { LocalHost, localHost } from './hosts/local.ts';
import { SshHost } from './hosts/node-ssh.ts';
import { OpenSshHost } from './hosts/openssh.ts';

export { LocalHost, localHost, OpenSshHost, SshHost };

const withTransport = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !('transport' in value)
    ? { ...value, transport: 'node-ssh' }
    : value;

/** How one host is reached. `transport` is `node-ssh` when left out. */
export const HostSettings = z.preprocess(
  withTransport,
  z.discriminatedUnion('transport', [SshHost, OpenSshHost, LocalHost]),
);
export type HostSettings = z.infer<typeof HostSettings>;

/** Finds the settings of a host by its name; undefined for a name that the site does not know. */
export type HostLookup = (name: string) => HostSettings | undefined;

const jumpProblem = (host: HostSettings, byName: HostLookup): string | null => {
  const way = [host.name];
  for (let at: HostSettings = host; at.transport !== 'local' && at.jump !== undefined; ) {
    const next = byName(at.jump);
    if (next === undefined) return `jump host ${at.jump} is not in the list of hosts`;
    if (next.transport === 'local') return `jump host ${at.jump} is local, which is no way to anywhere: leave jump out`;
    if (next.transport !== at.transport) {
      return `jump host ${at.jump} has transport ${next.transport} and ${at.name} ${at.transport}: give both the same`;
    }
    if (way.includes(next.name)) return `its jump hosts go in a circle: ${[...way, next.name].join(' -> ')}`;
    way.push(next.name);
    at = next;
  }
  return null;
};

/** All hosts of a site: every name once, and every jump host known, in no circle. */
export const HostList = z.array(HostSettings).superRefine((hosts, context) => {
  const byName = new Map<string, HostSettings>();
  for (const [index, host] of hosts.entries()) {
    if (byName.has(host.name)) {
      context.addIssue({ code: 'custom', path: [index, 'name'], message: `host ${host.name} is listed twice` });
    }
    byName.set(host.name, host);
  }
  for (const [index, host] of hosts.entries()) {
    const problem = jumpProblem(host, (name) => byName.get(name));
    if (problem !== null) context.addIssue({ code: 'custom', path: [index, 'jump'], message: problem });
  }
});

export type HostList = z.infer<typeof HostList>;

/** A lookup over a list of hosts; `local` is always known, and the list may say otherwise about it. */
export const hostLookup = (hosts: readonly HostSettings[]): HostLookup => {
  const byName = new Map<string, HostSettings>([['local', localHost()]]);
  for (const host of hosts) byName.set(host.name, host);
  return (name) => byName.get(name);
};
