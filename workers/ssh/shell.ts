import { randomBytes } from 'node:crypto';
import type { HostLookup, HostSettings } from '../../infra/hosts.ts';
import { LookFailed } from '../../playbooks/model/index.ts';
import { hostKit } from '../host-kit/kit.ts';
import { installedDialect } from './dialect.ts';
import type { HostShell } from './remote-step.ts';
import { ResidentShell, SHELL_LIMITS, type ShellLimits } from './resident-shell.ts';
import { RUNNER } from './runner-text.ts';
import { openLocal } from './transports/local.ts';
import { closeNodeSsh, openNodeSsh } from './transports/node-ssh.ts';
import { closeOpenSsh, openOpenSsh } from './transports/openssh.ts';
import type { HostStream } from './transports/stream.ts';

export type { CarriedScript, HostShell, RemoteStep, StepResult } from './remote-step.ts';

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

/** Which runner a host is to have: `auto` takes the installed one where there is one, and sends it elsewhere. */
export type RunnerChoice = 'auto' | 'installed' | 'sent';

/** Where no runner is installed, a shell reads this. */
const NOT_INSTALLED = `command -v sb_start >/dev/null || { printf '\\n%s refused not-installed\\n' "$N"; exit 3; }\n`;

/** An installed runner skips all but the first line and the last, `sb_start`; so nobody need be asked which one is there. */
const opening = (nonce: string, runner: RunnerChoice): string =>
  `N=${nonce} W= B=\n${runner === 'installed' ? `${NOT_INSTALLED}sb_start\n` : RUNNER}`;

/** Throws LookFailed when the runner that is installed on a host is not the one that is wanted. */
const agree = async (name: string, shell: ResidentShell, runner: RunnerChoice): Promise<void> => {
  const { installed } = shell;
  if (installed === null) return;
  if (runner === 'sent') {
    const what =
      'has a runner installed and takes no other, and its settings ask for one that is sent; set runner: auto';
    throw new LookFailed('host-garbage', `${name} ${what}.`);
  }
  const { version } = await hostKit();
  if (installed.version !== version) {
    const what = `The runner installed on ${name} is version ${installed.version}, and this worker needs ${version}`;
    const how = 'write it with `straceback host-kit FOLDER` and run install.sh of that folder there, as root';
    throw new LookFailed('host-garbage', `${what}; ${how}.`);
  }
  shell.dialect = await installedDialect();
};

/** Starts the runner in the shell at the other end of a stream. Rejects with LookFailed `host-garbage`, `not-linux`, `unreachable`. */
export const startShell = async (
  name: string,
  stream: HostStream,
  limits: ShellLimits,
  runner: RunnerChoice = 'auto',
): Promise<HostShell> => {
  const nonce = randomBytes(16).toString('hex');
  const shell = new ResidentShell(name, stream, nonce, limits);
  await shell.start(opening(nonce, runner));
  try {
    await agree(name, shell, runner);
  } catch (error) {
    await shell.close();
    throw error;
  }
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
  return startShell(name, stream, all, host.transport === 'local' ? 'sent' : host.runner);
};
