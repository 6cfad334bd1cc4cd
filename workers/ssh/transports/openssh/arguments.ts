import type { OpenSshHost } from '../../../../infra/hosts.ts';
import { quoteLine } from '../../quote.ts';

/** Where a connection finds what is ours: the configuration, its socket, and how it gets through a jump host of the inventory. */
export interface Way {
  readonly config: string;
  readonly socket: string;
  /** The arguments of the `ssh` that reaches the jump host, its address last. */
  readonly through: readonly string[] | undefined;
  /** Whether the site has ssh learn the keys of hosts that it meets for the first time (`accept-new` in ssh_config). */
  readonly acceptNew: boolean;
  readonly connectSeconds: number;
}

/** A path as a value of `-o`: in quotes, and `%` is no token (ssh_config(5)). */
const pathValue = (path: string): string =>
  `"${path.replaceAll('%', '%%').replaceAll(/["\\]/g, (character) => `\\${character}`)}"`;

const option = (name: string, value: string | undefined): string[] =>
  value === undefined ? [] : ['-o', `${name}=${value}`];

/** How `ssh` is told about a host; more options and then `destination` follow. */
export const commonArguments = (host: OpenSshHost, way: Way): string[] => {
  // Only the address and port of the far end are ssh's to fill in.
  const through =
    way.through === undefined ? undefined : `ssh -W '[%h]:%p' ${quoteLine(way.through).replaceAll('%', '%%')}`;
  return [
    ...['-F', way.config, '-T', '-a', '-x', '-S', way.socket],
    ...(host.user === undefined ? [] : ['-l', host.user]),
    ...(host.port === undefined ? [] : ['-p', String(host.port)]),
    ...(host.identityFile === undefined ? [] : ['-i', host.identityFile]),
    // An agent with many keys would use up the attempts that sshd allows before the named key has its turn.
    ...option('IdentitiesOnly', host.identityFile !== undefined && host.agent === undefined ? 'yes' : undefined),
    ...option('IdentityAgent', host.agent === undefined ? undefined : pathValue(host.agent)),
    ...option('UserKnownHostsFile', host.knownHostsFile === undefined ? undefined : pathValue(host.knownHostsFile)),
    ...option('StrictHostKeyChecking', way.acceptNew ? 'accept-new' : undefined),
    ...option('ConnectTimeout', String(way.connectSeconds)),
    ...option('ProxyCommand', through),
  ];
};

/** The end of the options: what follows is a host whatever it begins with. */
export const destination = (host: OpenSshHost): string[] => ['--', host.address];

/** The arguments with which `ssh -W` passes bytes on to a host behind `jump`, over the connection that is there. */
export const passOn = (jump: OpenSshHost, way: Way): string[] => [
  ...commonArguments(jump, way),
  ...option('ControlMaster', 'no'),
  ...destination(jump),
];
