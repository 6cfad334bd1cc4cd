import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostLookup } from '../../../infra/hosts.ts';
import { openShell } from '../../../workers/ssh/shell.ts';
import {
  accountExists,
  asAccount,
  canInstall,
  type InstalledHost,
  installedHost,
  openFolder,
  sshdFor,
} from '../../support/installed-host.ts';
import { endSshd, testUser } from '../../support/sshd.ts';

const mode = (file: string): string => (statSync(file).mode & 0o7777).toString(8);

/** All that is below a folder, with owner and mode. */
const listing = (folder: string): string =>
  execFileSync('find', [folder, '-printf', '%u %g %m %p\n'], { encoding: 'utf8' });

describe.skipIf(!canInstall)('install.sh', () => {
  let host: InstalledHost;
  beforeAll(async () => {
    host = await installedHost('--from', '127.0.0.1');
  });
  afterAll(endSshd);

  const file = (name: string): string => path.join(host.prefix, name);

  it('makes an account without a password, whose shell, keys and runner are root’s', () => {
    const [, , , , , home, shell] = execFileSync('getent', ['passwd', host.user], { encoding: 'utf8' })
      .trim()
      .split(':');
    expect([home, shell]).toEqual([file('home'), file('login')]);
    expect(execFileSync('getent', ['shadow', host.user], { encoding: 'utf8' }).split(':')[1]).toBe('*');
    expect(readFileSync(file('home/.ssh/authorized_keys'), 'utf8')).toMatch(
      new RegExp(`^restrict,command="${host.prefix}/login",from="127\\.0\\.0\\.1" ssh-ed25519 [A-Za-z0-9+/=]+\n$`),
    );
    for (const line of listing(host.prefix).trim().split('\n')) expect(line).toMatch(/^root root (?:755|644) /);
    expect(asAccount(host, ['find', host.prefix, '-writable']).stdout).toBe('');
    expect(mode(host.keep)).toBe('700');
    expect(mode(`/etc/sudoers.d/${host.user}`)).toBe('440');
    expect(execFileSync('visudo', ['-c', '-f', `/etc/sudoers.d/${host.user}`], { encoding: 'utf8' })).toContain(
      'parsed OK',
    );
  });

  it('changes nothing when it is run again, and keeps settings that are not named', () => {
    const before = listing(host.prefix);
    const [rules, settings] = [`/etc/sudoers.d/${host.user}`, file('settings')].map((name) =>
      readFileSync(name, 'utf8'),
    );
    expect(host.install()).toMatchObject({ status: 0, stderr: '' });
    expect(listing(host.prefix)).toBe(before);
    expect([`/etc/sudoers.d/${host.user}`, file('settings')].map((name) => readFileSync(name, 'utf8'))).toEqual([
      rules,
      settings,
    ]);
    expect(host.install('--allow', 'slows').stdout).toMatch(/impacts: none slows; cores go to /);
    expect(host.install().stdout).toMatch(/impacts: none slows; cores/);
    expect(host.install('--allow', 'none,slows,stops,writes-disk').status).toBe(0);
    expect(readFileSync(file('settings'), 'utf8')).toBe(settings);
  });

  it('takes a kit of another version, which a worker refuses with a sentence that says what to install', async () => {
    const sshd = await sshdFor(host);
    const through = { ...sshd.host('web-7'), identityFile: host.identityFile };
    const version = readFileSync(path.join(host.kit, 'version'), 'utf8').trim();
    const steps = path.join(host.kit, 'steps.sh');
    const change = (from: string, to: string) => {
      writeFileSync(path.join(host.kit, 'version'), `${to}\n`);
      writeFileSync(steps, readFileSync(steps, 'utf8').replace(`VERSION=${from}`, `VERSION=${to}`));
      expect(host.install().status).toBe(0);
    };
    change(version, '0123456789ab');
    expect(existsSync(file(`kit-${version}`))).toBe(false);
    await expect(openShell(through, hostLookup([]))).rejects.toThrow(
      `The runner installed on web-7 is version 0123456789ab, and this worker needs ${version}; write it with \`straceback host-kit FOLDER\` and run install.sh of that folder there, as root.`,
    );
    change('0123456789ab', version);
    await (await openShell(through, hostLookup([]))).close();
  });

  it.each([
    ['a key that is none', ['--key', '/etc/hostname'], 65, 'holds something that is no public key'],
    ['a file that is not there', ['--key', '/nonexistent'], 66, 'cannot be read'],
    ['a prefix with a space', ['--prefix', '/usr/local/lib/a b'], 64, 'absolute path'],
    ['a prefix with a way up', ['--prefix', '/usr/local/../x'], 64, 'absolute path'],
    ['a name that is a rule', ['--user', 'x ALL=(ALL) NOPASSWD: ALL'], 64, 'no name for the account'],
    ['root', ['--user', 'root'], 64, 'no name for the account'],
    ['an address that is an option', ['--from', '1.2.3.4",command="sh'], 64, 'list of addresses'],
    ['an impact that there is none', ['--allow', 'everything'], 64, 'does not know "everything"'],
    ['an option that there is none', ['--force'], 64, 'not understood'],
  ])('refuses %s', (_, words, status, sentence) => {
    const before = listing(host.prefix);
    const result = host.install(...words);
    expect(result.status).toBe(status);
    expect(result.stderr).toMatch(/^install\.sh: .*\.\n$/);
    expect(result.stderr).toContain(sentence);
    expect(listing(host.prefix)).toBe(before);
  });

  it('refuses a key that brings options of its own', () => {
    const key = path.join(openFolder(), 'key.pub');
    writeFileSync(key, 'command="sh" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILxTIAmbcJH2wHxzyRpBVV6kAK6Rs\n');
    expect(host.install('--key', key)).toMatchObject({ status: 65 });
  });

  it('refuses a folder that others can change, an account of another kind, and whoever is not root', () => {
    const open = openFolder();
    mkdirSync(path.join(open, 'lib'));
    chmodSync(path.join(open, 'lib'), 0o777);
    const key = ['--key', path.join(path.dirname(host.kit), 'login.pub')];
    const other = host.install(...key, '--user', `${host.user}b`, '--prefix', path.join(open, 'lib', 'x'));
    expect(other.stderr).toContain('choose another --prefix');
    expect(accountExists(`${host.user}b`)).toBe(false);
    const user = testUser({ sudo: false });
    expect(host.install('--user', user).stderr).toContain(`there is an account ${user} of another kind`);
    chmodSync(path.dirname(host.kit), 0o755);
    expect(asAccount(host, ['/bin/sh', path.join(host.kit, 'install.sh'), '--check'])).toMatchObject({
      status: 77,
      stderr: 'install.sh: run this as root: it makes an account and a sudo rule.\n',
    });
  });

  it('tells by --check what has been changed since', () => {
    expect(host.install('--check')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Ready: account /) });
    const serve = file(`kit-${readFileSync(file('version'), 'utf8').trim()}/serve.sh`);
    chmodSync(serve, 0o666);
    writeFileSync(`/etc/sudoers.d/${host.user}`, `${host.user} ALL=(root) NOPASSWD: ALL\n`, { mode: 0o440 });
    const { status, stdout } = host.install('--check');
    expect(status).toBe(1);
    expect(stdout).toContain(`somebody besides root could change ${serve}.`);
    expect(stdout).toContain('wrong: sudo does not read');
    expect(host.install()).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Ready: /) });
  });

  it('removes all that it made, and says where cores are left', () => {
    mkdirSync(path.join(host.keep, 'cores'), { recursive: true });
    writeFileSync(path.join(host.keep, 'cores', 'core.1'), 'x');
    // What somebody else could have written there is not run.
    chmodSync(file('settings'), 0o666);
    writeFileSync(file('settings'), `touch ${file('run')}\n`, { flag: 'a' });
    expect(host.install('--remove')).toMatchObject({ status: 1, stderr: expect.stringContaining('could change') });
    expect([existsSync(file('run')), accountExists(host.user)]).toEqual([false, true]);
    writeFileSync(file('settings'), readFileSync(file('settings'), 'utf8').replace(/^touch .*\n/m, ''));
    chmodSync(file('settings'), 0o644);
    const { status, stdout } = host.install('--remove');
    expect([status, stdout]).toEqual([
      0,
      `Cores are left in ${host.keep}.\nRemoved: account ${host.user}, its sudo rule and ${host.prefix}.\n`,
    ]);
    expect([accountExists(host.user), existsSync(host.prefix), existsSync(`/etc/sudoers.d/${host.user}`)]).toEqual([
      false,
      false,
      false,
    ]);
    expect(host.install('--remove')).toMatchObject({ status: 0, stdout: expect.not.stringContaining('Cores') });
    rmSync(host.keep, { recursive: true });
    expect(spawnSync('sh', ['-n', path.join(host.kit, 'install.sh')]).status).toBe(0);
  });
});
