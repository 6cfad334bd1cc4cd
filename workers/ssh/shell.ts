import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { HostLookup, HostSettings } from '../../infra/hosts.ts';
import type { HostShell } from './remote-step.ts';
import { ResidentShell, SHELL_LIMITS, type ShellLimits } from './resident-shell.ts';
import { openLocal } from './transports/local.ts';
import { closeNodeSsh, openNodeSsh } from './transports/node-ssh.ts';
import { closeOpenSsh, openOpenSsh } from './transports/openssh.ts';
import type { HostStream } from './transports/stream.ts';

export type { CarriedScript, HostShell, RemoteStep, StepResult } from './remote-step.ts';

/** The runner without its comments and indentation: bash reads what comes through a pipe byte by byte. */
const runner = readFileSync(new URL('./runner.sh', import.meta.url), 'utf8')
  .replaceAll(/^\s+/gm, '')
  .replaceAll(/^#.*\n/gm, '');

const openStream = (host: HostSettings, hosts: HostLookup, connectMs: number): Promise<HostStream> => {
  switch (host.transport) {
    case 'local':
      return openLocal(host);
    case 'node-ssh':
      return openNodeSsh(host, hosts, connectMs);
    case 'openssh':
      return openOpenSsh(host, hosts, connectMs);
  }
};

/** Ends the warm connections of this process, so that nothing keeps it from ending. Never rejects. */
export const closeConnections = async (): Promise<void> => {
  await Promise.all([closeNodeSsh(), closeOpenSsh()]);
};

/** Starts the runner in the shell at the other end of a stream. Rejects with LookFailed `host-garbage`, `not-linux`, `unreachable`. */
export const startShell = async (name: string, stream: HostStream, limits: ShellLimits): Promise<HostShell> => {
  const nonce = randomBytes(16).toString('hex');
  const shell = new ResidentShell(name, stream, nonce, limits);
  await shell.start(`N=${nonce}\n${runner}`);
  return shell;
};

/**
 * Opens one resident shell on `host`, through the jump hosts that `hosts` knows. Rejects with LookFailed: `unreachable`,
 * `host-key-unknown`, `host-key-changed`, `login-refused`, `bad-key-file`, `unknown-host` (a jump host), `host-garbage`,
 * `not-linux`, `connection-lost`; each with one sentence that says what to do.
 */
export const openShell = async (
  host: HostSettings,
  hosts: HostLookup,
  limits: Partial<ShellLimits> = {},
): Promise<HostShell> => {
  const all = { ...SHELL_LIMITS, ...limits };
  const stream = await openStream(host, hosts, all.connectMs);
  const name = host.transport === 'local' ? 'This machine' : host.name;
  return startShell(name, stream, all);
};
