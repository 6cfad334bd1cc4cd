import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type HostLookup, hostLookup, type OpenSshHost } from '../../infra/hosts.ts';
import type { Sshd } from '../../infra/sandbox/sshd.ts';
import { LookFailed } from '../../playbooks/model/index.ts';
import { openShell } from '../../workers/ssh/shell.ts';

/** A throw-away sshd as a host of transport `openssh`; nothing of this user's own ssh configuration is read. */
export const opensshHost = (sshd: Sshd, name: string, changes: Partial<OpenSshHost> = {}): OpenSshHost => {
  const configFile = join(sshd.folder, 'no_ssh_config');
  writeFileSync(configFile, '');
  return {
    name,
    transport: 'openssh',
    address: '127.0.0.1',
    port: sshd.port,
    user: sshd.user,
    identityFile: sshd.identityFile,
    knownHostsFile: sshd.knownHostsFile,
    configFile,
    sudo: 'auto',
    keepFolder: '/var/tmp/straceback',
    ...changes,
  };
};

/** The failure of a look at `host`, which has to be one sentence of one line. */
export const failureAt = async (
  host: OpenSshHost,
  hosts: HostLookup = hostLookup([]),
  limits: Parameters<typeof openShell>[2] = {},
): Promise<LookFailed> => {
  const error = await openShell(host, hosts, limits).then(
    (shell) => shell.close(),
    (reason: unknown) => reason,
  );
  if (!(error instanceof LookFailed)) throw new Error(`did not fail as a look does: ${error}`);
  if (!/^[^\n]+\.$/.test(error.message)) throw new Error(`is no sentence: ${error.message}`);
  return error;
};
