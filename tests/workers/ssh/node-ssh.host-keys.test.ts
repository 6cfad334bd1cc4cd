import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { makeKey } from '../../../infra/sandbox/sshd.ts';
import { closeConnections } from '../../../workers/ssh/shell.ts';
import { endSshd, testSshd } from '../../support/sshd.ts';
import { failureOf, logins, open } from './node-ssh.parts.ts';

afterEach(async () => {
  await closeConnections();
  await endSshd();
});

describe('host keys', () => {
  test('an unknown one is refused, with its fingerprint and the steps to learn it', async () => {
    const sshd = await testSshd();
    writeFileSync(sshd.knownHostsFile, '# nobody is known\n');
    const failure = await failureOf(open(sshd.host('web-7')));
    expect(failure.code).toBe('host-key-unknown');
    const shown = execFileSync('ssh-keygen', ['-lf', join(sshd.folder, 'host_ed25519.pub')], { encoding: 'utf8' });
    expect(failure.message).toContain(shown.split(' ')[1]);
    expect(failure.message).toContain(`ssh-keyscan -p ${sshd.port} -t ed25519 127.0.0.1`);
    expect(logins(sshd.log())).toBe(0);
  });

  test('the steps in that sentence work', async () => {
    const sshd = await testSshd();
    writeFileSync(sshd.knownHostsFile, '');
    const { message } = await failureOf(open(sshd.host('web-7')));
    const [, scan = ''] = /`(ssh-keyscan [^`]+)`/.exec(message) ?? [];
    const [command = '', ...args] = scan.split(' ');
    const line = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    writeFileSync(sshd.knownHostsFile, line);
    const shell = await open(sshd.host('web-7'));
    await shell.close();
  });

  test('a changed one is refused, and so is one of another kind', async () => {
    const sshd = await testSshd();
    const other = join(sshd.folder, 'other');
    await makeKey(other);
    const name = `[127.0.0.1]:${sshd.port}`;
    writeFileSync(sshd.knownHostsFile, `${name} ${readFileSync(`${other}.pub`, 'utf8')}`);
    const changed = await failureOf(open(sshd.host('web-7')));
    expect(changed.code).toBe('host-key-changed');
    expect(changed.message).toContain(`ssh-keygen -R '${name}'`);

    await makeKey(`${other}-rsa`, 'rsa');
    writeFileSync(sshd.knownHostsFile, `${name} ${readFileSync(`${other}-rsa.pub`, 'utf8')}`);
    expect((await failureOf(open(sshd.host('web-7')))).code).toBe('host-key-changed');
  });

  test('a revoked one is refused though it is also listed as good', async () => {
    const sshd = await testSshd();
    const line = readFileSync(sshd.knownHostsFile, 'utf8');
    writeFileSync(sshd.knownHostsFile, `${line}@revoked * ${line.slice(line.indexOf(' ') + 1)}`);
    const failure = await failureOf(open(sshd.host('web-7')));
    expect(failure.code).toBe('host-key-changed');
    expect(failure.message).toContain('@revoked');
  });

  test.each(['ed25519', 'ecdsa', 'rsa'] as const)('a host known by %s only is asked for that key', async (type) => {
    const sshd = await testSshd({ hostKeys: ['rsa', 'ecdsa', 'ed25519'] });
    const key = readFileSync(join(sshd.folder, `host_${type}.pub`), 'utf8');
    writeFileSync(sshd.knownHostsFile, `[127.0.0.1]:${sshd.port} ${key}`);
    const shell = await open(sshd.host('web-7'));
    await shell.close();
  });

  test('hashed names are found', async () => {
    const sshd = await testSshd();
    execFileSync('ssh-keygen', ['-q', '-H', '-f', sshd.knownHostsFile], { stdio: 'ignore' });
    expect(readFileSync(sshd.knownHostsFile, 'utf8')).not.toContain('127.0.0.1');
    const shell = await open(sshd.host('web-7'));
    await shell.close();
  });

  test('a known_hosts file that is not there knows nobody', async () => {
    const sshd = await testSshd();
    const failure = await failureOf(open(sshd.host('web-7', { knownHostsFile: join(sshd.folder, 'none') })));
    expect(failure.code).toBe('host-key-unknown');
    expect(failure.message).toContain(join(sshd.folder, 'none'));
  });
});
