import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostLookup, type SshHost } from '../../../infra/hosts.ts';
import { makeKey } from '../../../infra/sandbox/sshd.ts';
import { writeHostKit } from '../../../workers/host-kit/write.ts';
import { closeConnections, openShell } from '../../../workers/ssh/shell.ts';
import { INCIDENTS } from '../../support/containers.ts';
import { examine, expectFinding } from '../../support/incident.ts';
import { canInstall } from '../../support/installed-host.ts';
import { atEnd, endSshd, testSshd } from '../../support/sshd.ts';
import { type SystemdHost, systemdHost, whyNoSystemd } from '../../support/systemd-host.ts';
import { until } from '../../support/until.ts';

const why = canInstall ? await whyNoSystemd() : 'sudo and useradd are wanted';
const transfers = path.join(INCIDENTS, 'thread-deadlock/transfers.py');

describe.skipIf(why !== null)(`a runner installed where systemd runs${why === null ? '' : ` (${why})`}`, () => {
  let systemd: SystemdHost;
  let host: SshHost;
  let pid: number;

  beforeAll(async () => {
    systemd = await systemdHost();
    atEnd(systemd.end);
    const folder = mkdtempSync(path.join(tmpdir(), 'straceback-kit-'));
    atEnd(() => rmSync(folder, { recursive: true, force: true }));
    await writeHostKit(path.join(folder, 'kit'));
    const identityFile = path.join(folder, 'login');
    await makeKey(identityFile);
    // The account and all files are in the root of that host, and go with it.
    await systemd.run('sh', path.join(folder, 'kit/install.sh'), '--user', 'doctor', '--key', `${identityFile}.pub`);
    const prefix = (await systemd.run('sh', '-c', 'dirname ~doctor')).trim();
    const authorizedKeysFile = path.join(prefix, 'home/.ssh/authorized_keys');
    const sshd = await testSshd({ through: systemd.enter, user: 'doctor', authorizedKeysFile });
    host = { ...sshd.host('till-1'), identityFile };
    await systemd.start('till.service', `[Service]\nExecStart=/usr/bin/python3 -u ${transfers}\n`);
    pid = await systemd.mainPid('till.service');
    const wrote = () => systemd.run('journalctl', '-q', '--no-pager', '-o', 'cat', '-u', 'till.service');
    await until('it is stuck', async () => (await wrote()).includes('"stuck"'));
  }, 180_000);
  afterAll(endSshd);

  /** Scopes of the runner that are there now. */
  const scopes = async (): Promise<string[]> =>
    (await systemd.run('systemctl', 'list-units', '--type=scope', '--plain', '--no-legend', '--no-pager'))
      .split('\n')
      .map((line) => line.split(' ')[0] ?? '')
      .filter((unit) => unit.startsWith('run-'));

  it('works in a scope with limits, which goes with its session', async () => {
    const shell = await openShell(host, hostLookup([host]));
    try {
      expect(shell.installed).not.toBeNull();
      const [scope = ''] = await scopes();
      expect(await scopes()).toHaveLength(1);
      expect(await systemd.property(scope, 'MemoryMax')).toBe(String(4 * 1024 ** 3));
      expect(await systemd.property(scope, 'TasksMax')).toBe('512');
    } finally {
      await shell.close();
      await closeConnections();
    }
    await until('the scope has gone', async () => (await scopes()).length === 0);
  });

  it('sees what is wrong with a service', async () => {
    const report = await examine(pid, { through: host, outside: await systemd.outside(pid), windowSeconds: 1 });
    expectFinding(report, 'thread-deadlock', 0.8);
    await closeConnections();
    await until('the scope has gone', async () => (await scopes()).length === 0);
    expect(readdirSync(path.join(systemd.root, 'run/straceback'))).not.toContain(`look.${pid}`);
  });
});
