import { randomBytes } from 'node:crypto';
import type { HostLookup, HostSettings } from '../../infra/hosts.ts';
import { LookFailed } from '../../playbooks/model/index.ts';
import { hostKit } from '../host-kit/kit.ts';
import { installedDialect } from './dialect.ts';
import type { FirstSteps, HostFacts, HostShell } from './remote-step.ts';
import { ResidentShell } from './resident-shell.ts';
import { RUNNER } from './runner-text.ts';
import { SHELL_LIMITS, type ShellLimits } from './shell-limits.ts';
import { openLocal } from './transports/local.ts';
import { closeNodeSsh, openNodeSsh } from './transports/node-ssh.ts';
import { closeOpenSsh, openOpenSsh } from './transports/openssh.ts';
import type { HostStream } from './transports/stream.ts';

export type { CarriedScript, FirstSteps, HostFacts, HostShell, RemoteStep, StepResult } from './remote-step.ts';

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
const opening = (nonce: string, runner: RunnerChoice, early: string): string =>
  `N=${nonce} W= B=\nT=\n${runner === 'installed' ? `${NOT_INSTALLED}${early}sb_start\n` : RUNNER.replace(/^sb_start$/m, () => `${early}sb_start`)}`;

/** What steps a look begins with, given what an earlier one found on the host: sent with the runner, to save a way there and back. */
export type FirstStepsOf = (facts: HostFacts | null) => Promise<FirstSteps>;

/** First steps, and which runner they are written for. */
interface Early {
  readonly first: FirstSteps;
  readonly runner: 'sent' | 'installed';
}

/** The line with which a runner finds out when the process of the first steps started. */
const earlyLine = async ({ first: { pid, ageSeconds }, runner }: Early): Promise<string> => {
  const age = Math.floor(ageSeconds * 100);
  return runner === 'sent' ? `T=${pid} A=${age}\n` : `sb_early ${(await hostKit()).version} ${pid} ${age}\n`;
};

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

/** The first steps were written for another runner than the one that is there. */
class WrongRunner extends Error {}

/**
 * Starts the runner in the shell at the other end of a stream, and with it `early`. Rejects with LookFailed `host-garbage`,
 * `not-linux`, `unreachable`; with WrongRunner when `early` was written for another.
 */
export const startShell = async (
  name: string,
  stream: HostStream,
  limits: ShellLimits,
  runner: RunnerChoice = 'auto',
  early: Early | null = null,
): Promise<HostShell> => {
  const nonce = randomBytes(16).toString('hex');
  const shell = new ResidentShell(name, stream, nonce, limits);
  const { farEnd } = stream;
  if (early?.runner === 'installed') shell.dialect = await installedDialect();
  const line = early === null ? '' : await earlyLine(early);
  await shell.start(opening(nonce, early?.runner ?? runner, line), early?.first);
  try {
    const there = shell.installed === null ? 'sent' : 'installed';
    if (early !== null && early.runner !== there) throw new WrongRunner();
    await agree(name, shell, runner);
    if (farEnd !== undefined) {
      farEnd.runner = there;
      shell.remember = (facts) => {
        farEnd.facts = facts;
      };
    }
  } catch (error) {
    await shell.close();
    throw error;
  }
  return shell;
};

/**
 * Opens one resident shell on `host`, through the jump hosts that `hosts` knows. Where it is known which runner is there,
 * `first` steps go with it. Rejects with LookFailed: `unreachable`,
 * `host-key-unknown`, `host-key-changed`, `login-refused`, `bad-key-file`, `unknown-host` (a jump host), `host-garbage`,
 * `not-linux`, `connection-lost`; each with one sentence that says what to do.
 */
export const openShell = async (
  host: HostSettings,
  hosts: HostLookup,
  limits: Partial<ShellLimits> = {},
  first?: FirstStepsOf,
): Promise<HostShell> => {
  const all = { ...SHELL_LIMITS, ...limits };
  const stream = await openStream(host, hosts, all.connectMs);
  if (host.transport === 'local') return startShell('This machine', stream, all, 'sent');
  const known = stream.farEnd?.runner ?? null;
  if (first === undefined || known === null) return startShell(host.name, stream, all, host.runner);
  try {
    // An installed runner would run all side by side at once, and who the process is must not come late on a busy host.
    const facts = known === 'sent' ? (stream.farEnd?.facts ?? null) : null;
    const early = { first: await first(facts), runner: known };
    return await startShell(host.name, stream, all, host.runner, early);
  } catch (error) {
    stream.destroy();
    if (!(error instanceof WrongRunner || (error instanceof LookFailed && error.code === 'host-garbage'))) throw error;
    // Another runner is there than a moment ago. What it said is told only if it says so without first steps, too.
    if (stream.farEnd !== undefined) stream.farEnd.runner = null;
    return startShell(host.name, await openStream(host, hosts, all.connectMs), all, host.runner);
  }
};
