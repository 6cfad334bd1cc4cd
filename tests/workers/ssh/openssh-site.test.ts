import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { HostList, hostLookup, type OpenSshHost } from '../../../infra/hosts.ts';
import { makeKey } from '../../../infra/sandbox/sshd.ts';
import { closeConnections, openShell } from '../../../workers/ssh/shell.ts';
import { endProcesses, startPython } from '../../support/live-process.ts';
import { canMakeNamespaces, makeSite, type NamespacedSshd, type Site } from '../../support/namespaces.ts';
import { failureAt } from '../../support/openssh.ts';
import { folderOf, step, textOf } from '../../support/shells.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';
import { until } from '../../support/until.ts';

const logins = (sshd: NamespacedSshd): number => sshd.log().split('Accepted publickey').length - 1;

describe.skipIf(!canMakeNamespaces)('a site with an authority for keys and a bastion', () => {
  let site: Site;
  let key: string;
  let config: string;

  /** What a person's ~/.ssh/config would hold. */
  const writeConfig = (more: readonly string[] = []): void =>
    writeFileSync(
      config,
      `${[
        'Host bastion',
        `  HostName ${site.bastion.address}`,
        '  HostKeyAlias bastion.sb.test',
        'Host inner',
        `  HostName ${site.inner.address}`,
        '  HostKeyAlias inner.sb.test',
        '  ProxyJump bastion',
        'Host *',
        '  User root',
        `  IdentityFile ${key}`,
        `  UserKnownHostsFile ${site.knownHostsFile}`,
        '  IdentitiesOnly yes',
        ...more,
      ].join('\n')}\n`,
    );

  const host = (name: string, more: Partial<OpenSshHost> = {}): OpenSshHost => {
    const [made] = HostList.parse([{ name, transport: 'openssh', configFile: config, ...more, jump: undefined }]);
    if (made?.transport !== 'openssh') throw new Error('not a host of openssh');
    return { ...made, ...(more.jump === undefined ? {} : { jump: more.jump }) };
  };

  beforeAll(async () => {
    site = await makeSite();
    key = join(site.folder, 'doctor');
    config = join(site.folder, 'ssh_config');
    await makeKey(key);
    site.signUser(key, '-1d:+1d');
    writeConfig();
  });
  afterEach(async () => {
    await closeConnections();
    await endProcesses();
    site.signUser(key, '-1d:+1d');
    for (const which of ['bastion', 'inner'] as const) site.signHost(which, '-1d:+1d');
    writeConfig();
  });
  afterAll(() => site?.remove());

  test('certificates of user and host let in through ProxyJump; several shells are one login at each', async () => {
    const before = [logins(site.bastion), logins(site.inner)];
    const shells = await Promise.all([1, 2].map(() => openShell(host('inner'), hostLookup([]))));
    for (const shell of shells) {
      expect(await textOf(shell, 'sh', '-c', 'echo "$SSH_CONNECTION"')).toContain(site.inner.address);
    }
    await Promise.all(shells.map((shell) => shell.close()));
    expect([logins(site.bastion), logins(site.inner)]).toEqual([(before[0] ?? 0) + 1, (before[1] ?? 0) + 1]);
    expect(site.inner.log()).toMatch(/Accepted publickey for root .* ED25519-CERT/);
  });

  test('a jump host of the inventory is one login for itself and for what is behind it', async () => {
    const hosts = [host('bastion'), host('inner', { jump: 'bastion' })] as const;
    writeConfig(['  ProxyJump none']);
    const before = logins(site.bastion);
    const shells = await Promise.all(hosts.map((each) => openShell(each, hostLookup(hosts))));
    expect(await Promise.all(shells.map((shell) => textOf(shell, 'sh', '-c', 'echo "$SSH_CONNECTION"')))).toEqual([
      expect.stringContaining(site.bastion.address),
      expect.stringContaining(site.inner.address),
    ]);
    await Promise.all(shells.map((shell) => shell.close()));
    expect(logins(site.bastion) - before).toBe(1);
  });

  test('an agent that holds key and certificate is enough', async () => {
    const socket = join(site.folder, 'agent');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    try {
      await until('the agent listens', () => existsSync(socket));
      execFileSync('ssh-add', ['-q', key], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
      writeConfig([`  IdentityAgent ${socket}`]);
      writeFileSync(config, readFileSync(config, 'utf8').replace(/ {2}(IdentityFile|IdentitiesOnly) .*\n/g, ''));
      const shell = await openShell(host('inner'), hostLookup([]));
      expect(await textOf(shell, 'echo', 'in')).toBe('in');
      await shell.close();
    } finally {
      agent.kill();
      await once(agent, 'exit');
    }
  });

  test('a certificate of ours that has expired is named with its time', async () => {
    site.signUser(key, '-2d:-1d');
    for (const name of ['bastion', 'inner']) {
      const failure = await failureAt(host(name));
      expect(failure.code).toBe('login-refused');
      expect(failure.message).toMatch(/certificate \S+doctor-cert\.pub expired at \d{4}-\d\d-\d\dT/);
    }
  });

  test('a host certificate that has expired, is for another name or of another authority is not taken', async () => {
    site.signHost('inner', '-2d:-1d');
    const expired = await failureAt(host('inner'));
    expect(expired).toMatchObject({ code: 'host-key-unknown' });
    expect(expired.message).toMatch(/expired/);
    site.signHost('bastion', '-1d:+1d', 'somebody-else.sb.test');
    const other = await failureAt(host('bastion'));
    expect(other).toMatchObject({ code: 'host-key-unknown' });
    expect(other.message).toMatch(/principal/);
    // The bastion's trouble is told when the host behind it is asked for, too.
    expect(await failureAt(host('inner'))).toMatchObject({ code: 'host-key-unknown' });
  });

  test('a look that is cut in the middle leaves the process as it was', async () => {
    const { pid } = await startPython('import time\nprint("ready")\nwhile True: time.sleep(0.005)');
    const before = await processState(pid);
    const shell = await openShell(host('inner'), hostLookup([]));
    const folder = await folderOf(shell);
    const target = { pid, startTime: before.startTime };
    const argv = ['strace', '-f', '-o', '/dev/null', '-p', `${pid}`];
    const run = shell.run(step(argv, { ptraces: true, target }));
    await until('strace is attached', async () => [...(await processState(pid)).threads.values()][0]?.tracer || null);
    await site.bastion.end();
    expect(await run).toMatchObject({ end: 'connection-lost' });
    await until('nothing is left on the host', () => !existsSync(folder));
    await expectUnhurt(pid, before);
    await shell.close();
    // From here on the bastion is down: that is what is said, by its name.
    const failure = await failureAt(host('inner'));
    expect(failure).toMatchObject({ code: 'unreachable' });
    expect(failure.message).toMatch(new RegExp(`through its jump host ${site.bastion.address}: nothing listens`));
    const hosts = [host('bastion'), host('inner', { jump: 'bastion' })] as const;
    expect((await failureAt(hosts[1], hostLookup(hosts))).message).toMatch(/^bastion .*nothing listens there/);
  });
});
