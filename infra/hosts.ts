import { z } from 'zod';
import { HostName } from '../playbooks/model/index.ts';

const noControl = /^[^\p{Cc}]+$/u;
const pathOnWorker = (what: string) =>
  z
    .string({ error: `${what} is missing: a path on the worker's machine` })
    .min(1, `${what} must not be empty`)
    .max(4096)
    .regex(noControl, `${what} has control characters`);

/** A DNS name, an IPv4 or an IPv6 address. It ends up in argument lists, so it never starts with a dash. */
const Address = z
  .string()
  .max(253)
  .regex(
    /^[A-Za-z0-9:]([A-Za-z0-9._:%-]*[A-Za-z0-9])?$/,
    'an address is a DNS name, an IPv4 or an IPv6 address, and never starts with a dash',
  );

const User = z
  .string({ error: 'user is missing: the name to log in with' })
  .max(256)
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9._@+-]*\$?$/,
    'a user name has only letters, digits and . _ @ + -, and never starts with a dash',
  );

/** On the diagnosed host: where files that outlive a look (cores) are kept. */
const KeepFolder = z
  .string()
  .max(4096)
  .regex(/^\/[^\p{Cc}]*$/u, 'keepFolder must be an absolute path without control characters')
  .default('/var/tmp/straceback');

/** `auto`: root through `sudo -n` where that works without a password. `never`: stay the user that logged in. */
const Sudo = z.enum(['auto', 'never']).default('auto');

/** The machine that the worker itself runs on: the same runner, without SSH. */
export const LocalHost = z.strictObject({
  name: HostName,
  transport: z.literal('local'),
  sudo: Sudo,
  keepFolder: KeepFolder,
});
export type LocalHost = z.infer<typeof LocalHost>;

/** A host that is reached over SSH by node-ssh. Its key is always checked against `knownHostsFile`. */
export const SshHost = z
  .strictObject({
    name: HostName,
    transport: z.literal('node-ssh'),
    /** Where it listens; the name itself when left out. */
    address: Address.optional(),
    port: z.number().int().min(1).max(65_535).default(22),
    user: User,
    /** Private key on the worker's machine, not encrypted. */
    identityFile: pathOnWorker('identityFile').optional(),
    /** Socket of an SSH agent on the worker's machine (what SSH_AUTH_SOCK holds). */
    agent: pathOnWorker('agent').optional(),
    knownHostsFile: pathOnWorker('knownHostsFile'),
    /** Name of the host through which this one is reached. */
    jump: HostName.optional(),
    sudo: Sudo,
    keepFolder: KeepFolder,
  })
  .refine((host) => host.identityFile !== undefined || host.agent !== undefined, {
    message: 'give identityFile or agent: without either there is nothing to log in with',
    path: ['identityFile'],
  })
  .refine((host) => host.jump !== host.name, { message: 'a host cannot be its own jump host', path: ['jump'] })
  .transform((host) => ({ ...host, address: host.address ?? host.name }));
export type SshHost = z.infer<typeof SshHost>;

const withTransport = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !('transport' in value)
    ? { ...value, transport: 'node-ssh' }
    : value;

/** How one host is reached. `transport` is `node-ssh` when left out. */
export const HostSettings = z.preprocess(withTransport, z.discriminatedUnion('transport', [SshHost, LocalHost]));
export type HostSettings = z.infer<typeof HostSettings>;

/** Finds the settings of a host by its name; undefined for a name that the site does not know. */
export type HostLookup = (name: string) => HostSettings | undefined;

/** The settings of the host name `local`, which is always there. */
export const localHost = (overrides: Partial<Omit<LocalHost, 'transport'>> = {}): LocalHost => ({
  name: 'local',
  transport: 'local',
  sudo: 'auto',
  keepFolder: '/var/tmp/straceback',
  ...overrides,
});

const jumpProblem = (host: HostSettings, byName: ReadonlyMap<string, HostSettings>): string | null => {
  const way = [host.name];
  for (let at: HostSettings = host; at.transport === 'node-ssh' && at.jump !== undefined; ) {
    const next = byName.get(at.jump);
    if (next === undefined) return `jump host ${at.jump} is not in the list of hosts`;
    if (next.transport === 'local') return `jump host ${at.jump} is local, which is no way to anywhere: leave jump out`;
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
    const problem = jumpProblem(host, byName);
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
