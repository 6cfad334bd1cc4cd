import { existsSync } from 'node:fs';
import { expect } from 'vitest';
import { type HostSettings, hostLookup } from '../../../infra/hosts.ts';
import { LookFailed } from '../../../playbooks/model/index.ts';
import { type HostShell, openShell } from '../../../workers/ssh/shell.ts';
import { step } from '../../support/shells.ts';

/** Opens a host whose jump hosts are these others. */
export const open = (host: HostSettings, ...others: HostSettings[]): Promise<HostShell> =>
  openShell(host, hostLookup(others));

/** What opening a host fails with, held against what a person is to be told. */
export const failureOf = async (opening: Promise<HostShell>): Promise<LookFailed> => {
  const error = await opening.then(
    (shell) => shell.close(),
    (reason: unknown) => reason,
  );
  if (!(error instanceof LookFailed)) throw new Error(`did not fail as a look does: ${error}`);
  // One sentence for a person: one line, an end, and something to do in it.
  expect(error.message).toMatch(/^[^\n]+\.$/);
  return error;
};

/** What a command on the host writes, without the white space around it. */
export const textOf = async (shell: HostShell, ...argv: string[]): Promise<string> =>
  Buffer.from((await shell.run(step(argv))).stdout)
    .toString()
    .trim();

/** How many logins the log of an sshd has. */
export const logins = (log: string): number => log.split('Accepted publickey').length - 1;

export const isInstalled = (program: string): boolean => existsSync(program);
