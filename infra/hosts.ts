import { z } from 'zod';
import { schemaFaults } from './config-hints.ts';
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

/** What matters of a host as one of a list; also of one that has faults of its own. */
interface Listed {
  readonly name: string;
  readonly transport: string;
  readonly jump?: string | undefined;
}

/** What is wrong with a host of a list, and where in the list. */
interface HostFault {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

const jumpProblem = (host: Listed, byName: ReadonlyMap<string, Listed>): string | null => {
  const way = [host.name];
  for (let at = host; at.transport !== 'local' && at.jump !== undefined; ) {
    const next = byName.get(at.jump);
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

const ofHost = (host: HostSettings): Listed => ({
  name: host.name,
  transport: host.transport,
  jump: host.transport === 'local' ? undefined : host.jump,
});

/** The same of what somebody wrote; null without a name. A host that is its own jump host is told by its own settings. */
const ofWritten = ({ name, transport, jump }: Readonly<Record<string, unknown>>): Listed | null =>
  typeof name === 'string'
    ? {
        name,
        transport: typeof transport === 'string' ? transport : 'node-ssh',
        jump: typeof jump === 'string' && jump !== name ? jump : undefined,
      }
    : null;

/** What is wrong with hosts as a list: a name that is there twice, a jump host that is not there, a circle of them. */
const listFaults = (hosts: readonly (Listed | null)[]): HostFault[] => {
  const faults: HostFault[] = [];
  const byName = new Map<string, Listed>();
  for (const [index, host] of hosts.entries()) {
    if (host === null) continue;
    if (byName.has(host.name)) faults.push({ path: [index, 'name'], message: `host ${host.name} is listed twice` });
    byName.set(host.name, host);
  }
  for (const [index, host] of hosts.entries()) {
    const problem = host === null ? null : jumpProblem(host, byName);
    if (problem !== null) faults.push({ path: [index, 'jump'], message: problem });
  }
  return faults;
};

/** All hosts of a site: every name once, and every jump host known, in no circle. */
export const HostList = z.array(HostSettings).superRefine((hosts, context) => {
  const faults = listFaults(hosts.map(ofHost));
  for (const { path, message } of faults) context.addIssue({ code: 'custom', path: [...path], message });
});

/** The hosts of a list that can be used, and everything that is wrong with it. */
export const readHosts = (
  list: readonly Readonly<Record<string, unknown>>[],
): { readonly hosts: readonly HostSettings[]; readonly faults: readonly HostFault[] } => {
  const hosts: HostSettings[] = [];
  const faults: HostFault[] = [];
  for (const [index, own] of list.entries()) {
    const parsed = HostSettings.safeParse(own);
    if (parsed.success) hosts.push(parsed.data);
    else {
      const told = schemaFaults(parsed.error, HostSettings);
      faults.push(...told.map(({ path = [], message }) => ({ path: [index, ...path], message })));
    }
  }
  return { hosts, faults: [...faults, ...listFaults(list.map(ofWritten))] };
};

export type HostList = z.infer<typeof HostList>;

/** A lookup over a list of hosts; `local` is always known, and the list may say otherwise about it. */
export const hostLookup = (hosts: readonly HostSettings[]): HostLookup => {
  const byName = new Map<string, HostSettings>([['local', localHost()]]);
  for (const host of hosts) byName.set(host.name, host);
  return (name) => byName.get(name);
};
