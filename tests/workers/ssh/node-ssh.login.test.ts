import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { hostLookup, type SshHost } from '../../../infra/hosts.ts';
import { freePort, makeKey } from '../../../infra/sandbox/sshd.ts';
import { closeConnections, openShell } from '../../../workers/ssh/shell.ts';
import { folderOf, step } from '../../support/shells.ts';
import { canMakeUsers, endSshd, testPort, testSshd, testUser } from '../../support/sshd.ts';
import { until } from '../../support/until.ts';
import { failureOf, isInstalled, logins, open, textOf } from './node-ssh.parts.ts';

afterEach(async () => {
  await closeConnections();
  await endSshd();
});

describe('logging in', () => {
  test('a key that is not let in is a refused login', async () => {
    const sshd = await testSshd();
    const other = join(sshd.folder, 'other');
    await makeKey(other);
    const failure = await failureOf(open(sshd.host('web-7', { identityFile: other })));
    expect(failure.code).toBe('login-refused');
    expect(failure.message).toContain(other);
    expect((await failureOf(open(sshd.host('web-7', { user: 'nobody-of-that-name' })))).code).toBe('login-refused');
  });

  test('a key file that cannot be used says why', async () => {
    const sshd = await testSshd();
    const file = (name: string, content: string): string => {
      writeFileSync(join(sshd.folder, name), content, { mode: 0o600 });
      return join(sshd.folder, name);
    };
    const locked = join(sshd.folder, 'locked');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'secret', '-f', locked]);
    const cases: [string, RegExp][] = [
      [join(sshd.folder, 'none'), /does not exist/],
      [sshd.folder, /is a folder/],
      [locked, /passphrase/],
      [`${sshd.identityFile}.pub`, /is a public key/],
      [file('junk', 'no key\n'), /holds no private key/],
      [file('empty', ''), /holds no private key/],
    ];
    for (const [identityFile, why] of cases) {
      const failure = await failureOf(open(sshd.host('web-7', { identityFile })));
      expect(failure.code).toBe('bad-key-file');
      expect(failure.message).toMatch(why);
      expect(failure.message).toContain(identityFile);
    }
    expect(logins(sshd.log())).toBe(0);
  });

  test('an agent is asked, and one that does not answer is named', async () => {
    const sshd = await testSshd();
    const socket = join(sshd.folder, 'agent');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    try {
      await until('the agent listens', () => existsSync(socket));
      const withAgent = (path: string): SshHost => {
        const { identityFile: _, ...host } = sshd.host('web-7', { agent: path });
        return host;
      };
      expect((await failureOf(open(withAgent(socket)))).code).toBe('login-refused');
      execFileSync('ssh-add', ['-q', sshd.identityFile], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
      const shell = await open(withAgent(socket));
      await shell.close();
      await closeConnections();
      const failure = await failureOf(open(withAgent(join(sshd.folder, 'no-agent'))));
      expect(failure.code).toBe('bad-key-file');
      expect(failure.message).toContain('no-agent');
    } finally {
      agent.kill();
      await once(agent, 'exit');
    }
  });
});

describe('hosts that are not there', () => {
  const nowhere = async (changes: Partial<SshHost>) => (await testSshd()).host('web-7', changes);

  test('a closed port is unreachable', async () => {
    const failure = await failureOf(open(await nowhere({ port: await freePort() })));
    // Nothing is known under that port either, but nobody was there to show a key.
    expect(failure.code).toBe('unreachable');
    expect(failure.message).toContain('nothing listens there');
  });

  test('a name that does not exist is unreachable', async () => {
    expect((await failureOf(open(await nowhere({ address: 'no-such-host.invalid' })))).code).toBe('unreachable');
  });

  test('a port that says nothing, or hangs up, is unreachable', async () => {
    const silent = await nowhere({ port: await testPort(() => {}) });
    const opening = openShell(silent, hostLookup([]), { connectMs: 300 });
    expect(await failureOf(opening)).toMatchObject({ code: 'unreachable' });
    for (const answer of ['', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'SSH-2.0-x\r\n']) {
      const rude = await nowhere({ port: await testPort((socket) => socket.end(answer)) });
      const failure = await failureOf(open(rude));
      expect(failure.code).toBe('unreachable');
      expect(failure.message).toContain('closed the connection');
    }
  });

  test('something that speaks no SSH is told apart from a host that is down', async () => {
    const noise = await testPort((socket) => {
      socket.write(Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), Buffer.alloc(10_000, 0xff)]));
    });
    expect((await failureOf(open(await nowhere({ port: noise })))).code).toBe('host-garbage');
  });
});

describe('login shells', () => {
  test.each([
    ['endless noise', 'yes noise', /noise/],
    ['endless empty lines', "yes ''", /nothing/],
    ['a message and the end', 'echo this account is closed', /this account is closed/],
    ['an error and the end', 'echo no shell for you >&2; exit 1', /no shell for you/],
    ['its own input', 'timeout 5 cat', /./],
  ])('one that answers %s is garbage', async (_, forceCommand, quote) => {
    const sshd = await testSshd({ forceCommand });
    const failure = await failureOf(openShell(sshd.host('web-7'), hostLookup([]), { readyMs: 4_000 }));
    expect(failure.code).toBe('host-garbage');
    expect(failure.message).toMatch(quote);
  });

  test('one that says nothing is unreachable', async () => {
    const sshd = await testSshd({ forceCommand: 'timeout 30 tail -f /dev/null' });
    const failure = await failureOf(openShell(sshd.host('web-7'), hostLookup([]), { readyMs: 500 }));
    expect(failure.code).toBe('unreachable');
  });

  test('a chatty one is listened past', async () => {
    const noise = 'head -c 100000 /dev/urandom; printf "last login: no newline"; echo warning >&2';
    const sshd = await testSshd({ forceCommand: `${noise}; eval "$SSH_ORIGINAL_COMMAND"` });
    const shell = await open(sshd.host('web-7'));
    expect(await textOf(shell, 'echo', 'here')).toBe('here');
    await shell.close();
  });

  test
    .runIf(canMakeUsers)
    .each(['/bin/bash', '/bin/dash', '/bin/csh', '/usr/bin/fish', '/bin/zsh'].filter(isInstalled))(
    '%s hands the runner on as it is',
    async (program) => {
      const user = testUser({ sudo: false, shell: program });
      const sshd = await testSshd({ user });
      const shell = await open(sshd.host('web-7'));
      expect(await textOf(shell, 'id', '-un')).toBe(user);
      await shell.close();
    },
  );
});

describe.runIf(canMakeUsers)('rights', () => {
  test('root is root', async () => {
    const shell = await open((await testSshd()).host('web-7'));
    expect(shell.root).toBe(true);
    await shell.close();
  });

  test.runIf(isInstalled('/usr/bin/sudo'))('a user with sudo becomes root, unless it is told not to', async () => {
    const user = testUser({ sudo: true });
    const sshd = await testSshd({ user });
    const raised = await open(sshd.host('web-7'));
    expect(raised.root).toBe(true);
    expect(await textOf(raised, 'id', '-u')).toBe('0');
    const plain = await open(sshd.host('web-7', { sudo: 'never' }));
    expect(plain.root).toBe(false);
    expect(await textOf(plain, 'id', '-un')).toBe(user);
    await Promise.all([raised.close(), plain.close()]);
    // The same login, so the same connection.
    expect(logins(sshd.log())).toBe(1);
  });

  test.runIf(isInstalled('/usr/bin/sudo')).each([
    ['use_pty', true],
    ['!use_pty', true],
    ['requiretty', false],
  ])('with sudo set to %s a shell works and ends as any other', async (defaults, root) => {
    const shell = await open((await testSshd({ user: testUser({ sudo: defaults }) })).host('web-7'));
    expect(shell.root).toBe(root);
    const folder = await folderOf(shell);
    const zeros = await shell.run(step(['head', '-c', '50000', '/dev/zero']));
    expect(Buffer.from(zeros.stdout).equals(Buffer.alloc(50_000))).toBe(true);
    await shell.close();
    expect(existsSync(folder)).toBe(false);
  });

  test('a user without sudo stays one, in a folder that is its own', async () => {
    const user = testUser({ sudo: false });
    const shell = await open((await testSshd({ user })).host('web-7'));
    expect(shell.root).toBe(false);
    expect(await textOf(shell, 'stat', '-c', '%U %a', '.')).toBe(`${user} 700`);
    await shell.close();
  });

  test('a key that the worker may not read says so', async () => {
    const sshd = await testSshd();
    const copy = join(sshd.folder, 'copy');
    copyFileSync(sshd.identityFile, copy);
    chmodSync(copy, 0o000);
    const source = `
      import { openShell } from ${JSON.stringify(new URL('../../../workers/ssh/shell.ts', import.meta.url).href)};
      process.setgid(65534); process.setuid(65534);
      try { await openShell(${JSON.stringify(sshd.host('web-7', { identityFile: copy }))}, () => undefined); }
      catch (error) { console.log(error.code, error.message); }`;
    const loader = new URL('../../support/typescript-loader.mjs', import.meta.url).pathname;
    const said = execFileSync(process.execPath, ['--import', loader, '--input-type=module', '-e', source], {
      encoding: 'utf8',
    });
    expect(said).toMatch(/^bad-key-file .*may not be read by the worker/);
  });
});
