import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });

/** Whether network namespaces can be made here (ip-netns(8); needs root and the right of CAP_SYS_ADMIN). */
export const canMakeNamespaces = ((): boolean => {
  const name = `sb-try-${randomBytes(3).toString('hex')}`;
  try {
    ip('netns', 'add', name);
    ip('netns', 'del', name);
    return existsSync('/usr/sbin/sshd');
  } catch {
    return false;
  }
})();

/** An sshd in a network namespace of its own. */
export interface NamespacedSshd {
  readonly address: string;
  readonly log: () => string;
  /** Ends it and the sessions that it has, as a host that goes down does to its connections. */
  readonly end: () => Promise<void>;
}

/** A worker's machine, a bastion it can reach, and a host behind that only the bastion can reach; with an authority for keys. */
export interface Site {
  readonly folder: string;
  readonly bastion: NamespacedSshd;
  readonly inner: NamespacedSshd;
  /** known_hosts that trusts the authority for `*.sb.test`, and no single key. */
  readonly knownHostsFile: string;
  /** Signs the key at `file`.pub as user root, for a time as `ssh-keygen -V` takes it. */
  readonly signUser: (file: string, valid: string) => void;
  /** Gives a host another certificate, from its next login on. */
  readonly signHost: (which: 'bastion' | 'inner', valid: string, name?: string) => void;
  readonly remove: () => Promise<void>;
}

const keygen = (...args: string[]): void => void execFileSync('ssh-keygen', ['-q', ...args], { stdio: 'pipe' });

/** Makes the site; `remove` ends and removes all of it. Addresses are of the block for tests of networks (RFC 2544). */
export const makeSite = async (): Promise<Site> => {
  const id = randomBytes(3).toString('hex');
  const folder = mkdtempSync(join(tmpdir(), 'straceback-site-'));
  const file = (name: string): string => join(folder, name);
  const net = (third: number, last: number): string => `198.${block}.${third}.${last}`;
  const block = randomInt(2) + 18;
  const third = randomInt(127) * 2;
  const [outside, inside] = [`sb-b-${id}`, `sb-i-${id}`];
  const running: ChildProcess[] = [];
  const ends: (() => Promise<void>)[] = [];

  const sign = (which: string, valid: string, name: string): void =>
    keygen('-s', file('ca'), '-I', which, '-h', '-n', name, '-V', valid, file(`host_${which}.pub`));

  const start = async (which: 'bastion' | 'inner', space: string, address: string): Promise<NamespacedSshd> => {
    keygen('-t', 'ed25519', '-N', '', '-f', file(`host_${which}`));
    sign(which, '-1d:+1d', `${which}.sb.test`);
    const config = [
      `ListenAddress ${address}`,
      `HostKey ${file(`host_${which}`)}`,
      `HostCertificate ${file(`host_${which}-cert.pub`)}`,
      `TrustedUserCAKeys ${file('ca.pub')}`,
      `AuthorizedKeysFile ${file('authorized_keys')}`,
      'PermitRootLogin prohibit-password',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'SetEnv SHLVL=1',
      'StrictModes no',
      'UsePAM no',
      'PidFile none',
    ];
    writeFileSync(file(`${which}_config`), `${config.join('\n')}\n`);
    const log: string[] = [];
    const args = ['netns', 'exec', space, '/usr/sbin/sshd', '-D', '-e', '-f', file(`${which}_config`)];
    const sshd = spawn('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    running.push(sshd);
    sshd.stderr.setEncoding('utf8');
    await new Promise<void>((resolve, reject) => {
      sshd.stderr.on('data', (text: string) => {
        log.push(text);
        if (log.join('').includes('Server listening on')) resolve();
      });
      sshd.once('exit', (code) => reject(new Error(`sshd ended with ${code}: ${log.join('')}`)));
    });
    const end = async (): Promise<void> => {
      if (sshd.exitCode !== null || sshd.signalCode !== null) return;
      const exited = once(sshd, 'exit');
      const sessions = readFileSync(`/proc/${sshd.pid}/task/${sshd.pid}/children`, 'utf8').split(' ').filter(Boolean);
      sshd.kill('SIGTERM');
      await exited;
      for (const pid of sessions) {
        try {
          process.kill(Number(pid), 'SIGKILL');
        } catch {
          // It has ended by itself.
        }
      }
    };
    ends.push(end);
    return { address, log: () => log.join(''), end };
  };

  const remove = async (): Promise<void> => {
    for (const end of ends) await end();
    for (const child of running) child.stderr?.destroy();
    for (const space of [outside, inside]) {
      try {
        ip('netns', 'del', space);
      } catch {
        // It was not made.
      }
    }
    rmSync(folder, { recursive: true, force: true });
  };

  try {
    mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
    keygen('-t', 'ed25519', '-N', '', '-f', file('ca'));
    writeFileSync(file('authorized_keys'), '');
    for (const space of [outside, inside]) {
      ip('netns', 'add', space);
      ip('-n', space, 'link', 'set', 'lo', 'up');
    }
    ip('link', 'add', `sbw${id}`, 'type', 'veth', 'peer', 'name', 'out', 'netns', outside);
    ip('addr', 'add', `${net(third, 1)}/24`, 'dev', `sbw${id}`);
    ip('link', 'set', `sbw${id}`, 'up');
    ip('-n', outside, 'addr', 'add', `${net(third, 2)}/24`, 'dev', 'out');
    ip('-n', outside, 'link', 'set', 'out', 'up');
    ip('-n', outside, 'link', 'add', 'in', 'type', 'veth', 'peer', 'name', 'out', 'netns', inside);
    ip('-n', outside, 'addr', 'add', `${net(third + 1, 1)}/24`, 'dev', 'in');
    ip('-n', outside, 'link', 'set', 'in', 'up');
    ip('-n', inside, 'addr', 'add', `${net(third + 1, 2)}/24`, 'dev', 'out');
    ip('-n', inside, 'link', 'set', 'out', 'up');
    const bastion = await start('bastion', outside, net(third, 2));
    const inner = await start('inner', inside, net(third + 1, 2));
    writeFileSync(file('known_hosts'), `@cert-authority *.sb.test ${readFileSync(file('ca.pub'), 'utf8')}`);
    return {
      folder,
      bastion,
      inner,
      knownHostsFile: file('known_hosts'),
      signUser: (key, valid) => keygen('-s', file('ca'), '-I', 'doctor', '-n', 'root', '-V', valid, `${key}.pub`),
      signHost: (which, valid, name) => sign(which, valid, name ?? `${which}.sb.test`),
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
};
