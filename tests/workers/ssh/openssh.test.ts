import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hostLookup } from '../../../infra/hosts.ts';
import { freePort, makeKey, type Sshd, startSshd } from '../../../infra/sandbox/sshd.ts';
import { closeConnections, openShell } from '../../../workers/ssh/shell.ts';
import { failureAt, opensshHost } from '../../support/openssh.ts';
import { folderOf, step, textOf } from '../../support/shells.ts';
import { endSshd, testPort, testSshd, testWire } from '../../support/sshd.ts';
import { until } from '../../support/until.ts';

const nobody = hostLookup([]);
const logins = (sshd: Sshd): number => sshd.log().split('Accepted publickey').length - 1;
const ourFolders = (): string[] =>
  readdirSync(tmpdir()).filter((name) => name.startsWith(`straceback-ssh-${process.pid}-`));

let shared: Sshd;
beforeAll(async () => {
  shared = await startSshd();
});
afterAll(() => shared.stop());
afterEach(async () => {
  await closeConnections();
  await endSshd();
});

describe('one connection of ssh', () => {
  test('is shared by shells at once and one after another, and gone with its folder when it is closed', async () => {
    const before = logins(shared);
    const host = opensshHost(shared, 'web-7');
    const shells = await Promise.all([1, 2, 3].map(() => openShell(host, nobody)));
    expect(await Promise.all(shells.map((shell, index) => textOf(shell, 'echo', `${index}`)))).toEqual(['0', '1', '2']);
    expect(await textOf(shells[0] ?? (await openShell(host, nobody)), 'printf', '%s|', '-x', "a'b", '$HOME')).toBe(
      "-x|a'b|$HOME|",
    );
    await Promise.all(shells.map((shell) => shell.close()));
    const later = await openShell({ ...host, name: 'another-name', sudo: 'never' }, nobody);
    await later.close();
    expect(logins(shared) - before).toBe(1);
    expect(ourFolders()).toHaveLength(1);
    await closeConnections();
    expect(ourFolders()).toEqual([]);
    await until('sshd has seen it end', () => shared.log().includes('Disconnected from user'));
  });

  test('that has died is replaced for the next look', async () => {
    const before = logins(shared);
    const host = opensshHost(shared, 'web-7');
    const first = await openShell(host, nobody);
    await first.close();
    const [folder = ''] = ourFolders();
    const [socket = ''] = readdirSync(join(tmpdir(), folder)).filter((name) => /^c\d+$/.test(name));
    const check = ['-F', '/dev/null', '-S', join(tmpdir(), folder, socket), '-O', 'check', '127.0.0.1'];
    const said = execFileSync('sh', ['-c', 'ssh "$@" 2>&1', 'sh', ...check], { encoding: 'utf8' });
    process.kill(Number(/pid=(\d+)/.exec(said)?.[1]), 'SIGKILL');
    const next = await openShell(host, nobody);
    expect(await textOf(next, 'echo', 'again')).toBe('again');
    await next.close();
    expect(logins(shared) - before).toBe(2);
  });

  test('becomes more when sshd allows no further shell on it, and none at all is a refused login', async () => {
    const few = await testSshd({ config: ['MaxSessions 1'] });
    const [one, two] = [
      await openShell(opensshHost(few, 'web-7'), nobody),
      await openShell(opensshHost(few, 'web-7'), nobody),
    ];
    expect([await textOf(one, 'echo', 'one'), await textOf(two, 'echo', 'two')]).toEqual(['one', 'two']);
    await Promise.all([one.close(), two.close()]);
    expect(logins(few)).toBe(2);
    const none = await testSshd({ config: ['MaxSessions 0'] });
    expect((await failureAt(opensshHost(none, 'web-7'))).code).toBe('login-refused');
  });

  test('lost in the middle of a step is a lost connection; what ran there ends, and the next look gets a new one', async () => {
    const wire = await testWire(shared.port);
    const known = readFileSync(shared.knownHostsFile, 'utf8');
    const knownHostsFile = join(shared.folder, 'known_wire');
    writeFileSync(knownHostsFile, known.replaceAll(`:${shared.port} `, `:${wire.port} `));
    const host = opensshHost(shared, 'web-7', { port: wire.port, knownHostsFile });
    const shell = await openShell(host, nobody);
    const folder = await folderOf(shell);
    const run = shell.run(step(['sleep', '60']));
    expect(await textOf(shell, 'echo', 'there')).toBe('there');
    wire.cut();
    expect(await run).toMatchObject({ end: 'connection-lost', exit: null });
    await until('the runner has cleared up', () => !existsSync(folder));
    const next = await openShell(host, nobody);
    expect(await textOf(next, 'echo', 'again')).toBe('again');
    await Promise.all([next.close(), shell.close()]);
  });
});

describe('what ssh_config says', () => {
  test('is what applies: alias, user, port, key, known hosts; what a login by hand would start does not', async () => {
    const config = join(shared.folder, 'site_config');
    const touched = join(shared.folder, 'touched');
    writeFileSync(
      config,
      `Host web-*
  HostName 127.0.0.1
  Port ${shared.port}
  User ${shared.user}
  IdentityFile ${shared.identityFile}
  UserKnownHostsFile ${shared.knownHostsFile}
  RemoteCommand echo not-ours
  RequestTTY force
  PermitLocalCommand yes
  LocalCommand touch ${touched}
  ForwardAgent yes
  ControlMaster auto
  ControlPath ${join(shared.folder, 'theirs')}
  LogLevel QUIET
`,
    );
    const { name, transport, address, sudo, keepFolder } = opensshHost(shared, 'web-7', { address: 'web-7' });
    const host = { name, transport, address, sudo, keepFolder, configFile: config };
    const shell = await openShell(host, nobody);
    expect(await textOf(shell, 'echo', 'ours')).toBe('ours');
    expect(await textOf(shell, 'sh', '-c', 'echo "[$SSH_AUTH_SOCK$SSH_TTY]"')).toBe('[]');
    await shell.close();
    expect(existsSync(touched)).toBe(false);
    expect(existsSync(join(shared.folder, 'theirs'))).toBe(false);
  });

  test('does not switch off the check of host keys; keys of new hosts are learnt only where it says accept-new', async () => {
    const config = join(shared.folder, 'careless_config');
    const knownHostsFile = join(shared.folder, 'known_empty');
    writeFileSync(knownHostsFile, '');
    const host = opensshHost(shared, 'web-7', { knownHostsFile, configFile: config });
    for (const word of ['no', 'ask']) {
      writeFileSync(config, `Host *\n  StrictHostKeyChecking ${word}\n`);
      expect(await failureAt(host)).toMatchObject({ code: 'host-key-unknown' });
    }
    expect(readFileSync(knownHostsFile, 'utf8')).toBe('');
    writeFileSync(config, 'Host *\n  StrictHostKeyChecking accept-new\n');
    const shell = await openShell(host, nobody);
    await shell.close();
    expect(readFileSync(knownHostsFile, 'utf8')).toContain('ssh-ed25519');
  });

  test('that cannot be read is said', async () => {
    const config = join(shared.folder, 'broken_config');
    writeFileSync(config, 'Host *\n  NoSuchThing yes\n');
    const failure = await failureAt(opensshHost(shared, 'web-7', { configFile: config }));
    expect(failure.message).toMatch(/does not take its configuration/);
  });
});

describe("ssh's words become a look's sentences", () => {
  test('a host key that is unknown, changed or revoked', async () => {
    const knownHostsFile = join(shared.folder, 'known_other');
    writeFileSync(knownHostsFile, '# nobody\n');
    const host = opensshHost(shared, 'web-7', { knownHostsFile });
    const unknown = await failureAt(host);
    expect(unknown.code).toBe('host-key-unknown');
    expect(unknown.message).toContain(`ssh-keyscan -p ${shared.port} 127.0.0.1`);
    expect(unknown.message).toContain(knownHostsFile);

    await makeKey(join(shared.folder, 'other'));
    const other = readFileSync(join(shared.folder, 'other.pub'), 'utf8');
    writeFileSync(knownHostsFile, `[127.0.0.1]:${shared.port} ${other}`);
    const changed = await failureAt(host);
    expect(changed.code).toBe('host-key-changed');
    const shown = execFileSync('ssh-keygen', ['-lf', join(shared.folder, 'host_ed25519.pub')], { encoding: 'utf8' });
    expect(changed.message).toContain(shown.split(' ')[1]);
    expect(changed.message).toContain(`line 1 of ${knownHostsFile}`);

    const right = readFileSync(shared.knownHostsFile, 'utf8');
    writeFileSync(knownHostsFile, `${right}@revoked * ${right.slice(right.indexOf(' ') + 1)}`);
    expect(await failureAt(host)).toMatchObject({ code: 'host-key-changed' });
  });

  test('a key that is refused, missing, open to all, locked or none', async () => {
    const file = (name: string, mode = 0o600, text = readFileSync(join(shared.folder, 'refused'), 'utf8')): string => {
      writeFileSync(join(shared.folder, name), text, { mode });
      return join(shared.folder, name);
    };
    await makeKey(join(shared.folder, 'refused'));
    const locked = join(shared.folder, 'locked');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'secret', '-f', locked]);
    const cases = [
      [join(shared.folder, 'refused'), 'login-refused', /refused to let .* in with .*refused/],
      [join(shared.folder, 'none'), 'bad-key-file', /cannot be read/],
      [file('open', 0o644, readFileSync(shared.identityFile, 'utf8')), 'bad-key-file', /may be read by others/],
      [file('junk', 0o600, 'no key\n'), 'bad-key-file', /cannot be used/],
      // Without a terminal nobody can be asked for its passphrase.
      [locked, 'login-refused', /locked/],
    ] as const;
    for (const [identityFile, code, why] of cases) {
      const failure = await failureAt(opensshHost(shared, 'web-7', { identityFile }));
      expect({ code: failure.code, message: failure.message }).toMatchObject({
        code,
        message: expect.stringMatching(why),
      });
    }
  });

  test('a host that is not there, silent, rude, or no sshd', async () => {
    const at = (changes: Parameters<typeof opensshHost>[2]) => failureAt(opensshHost(shared, 'web-7', changes));
    const closed = await at({ port: await freePort() });
    expect(closed).toMatchObject({ code: 'unreachable' });
    expect(closed.message).toContain('nothing listens there');
    const name = await at({ address: 'no-such-host.invalid' });
    expect(name).toMatchObject({ code: 'unreachable' });
    expect(name.message).toMatch(/name cannot be resolved|DNS did not answer/);
    const silent = opensshHost(shared, 'web-7', { port: await testPort(() => {}) });
    const late = await failureAt(silent, nobody, { connectMs: 700 });
    expect(late).toMatchObject({ code: 'unreachable' });
    const rude = await at({ port: await testPort((socket) => socket.end()) });
    expect(rude).toMatchObject({ code: 'unreachable' });
    expect(rude.message).toContain('closed before the login');
    const noise = await testPort((socket) => {
      socket.write(Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), Buffer.alloc(10_000, 0xff)]));
    });
    expect(await at({ port: noise })).toMatchObject({ code: 'host-garbage' });
  });

  test('a login shell that is none', async () => {
    const sshd = await testSshd({ forceCommand: 'echo this account is closed; exit 255' });
    const failure = await failureAt(opensshHost(sshd, 'web-7'));
    expect(failure.code).toBe('host-garbage');
    expect(failure.message).toContain('this account is closed');
  });
});

test('an agent is asked, and its keys are what logs in', async () => {
  const socket = join(shared.folder, 'agent with space');
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  try {
    await until('the agent listens', () => existsSync(socket));
    const { identityFile: _, ...host } = opensshHost(shared, 'web-7', { agent: socket });
    expect((await failureAt(host)).code).toBe('login-refused');
    execFileSync('ssh-add', ['-q', shared.identityFile], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
    const shell = await openShell(host, nobody);
    expect(await textOf(shell, 'echo', 'in')).toBe('in');
    await shell.close();
  } finally {
    agent.kill();
    await once(agent, 'exit');
  }
});

test('what ssh starts for the site sees paths of ours, and no token', async () => {
  const seen = join(shared.folder, 'seen');
  const config = join(shared.folder, 'proxy_config');
  writeFileSync(config, `Host *\n  ProxyCommand sh -c 'env >> ${seen}; echo no sshd'\n`);
  process.env.SLACK_BOT_TOKEN = 'xoxb-planted';
  try {
    expect((await failureAt(opensshHost(shared, 'web-7', { configFile: config }))).message).toContain('proxy command');
  } finally {
    delete process.env.SLACK_BOT_TOKEN;
  }
  expect(readFileSync(seen, 'utf8')).toContain('PATH=');
  expect(readFileSync(seen, 'utf8')).not.toContain('xoxb-planted');
});
