import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, appendFile, chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { SshHost } from '../hosts.ts';

const run = promisify(execFile);

export interface SshdOptions {
  /** Login user; whoever we are when left out. Another one needs root. */
  readonly user?: string;
  /** Types of host key to have, ed25519 when left out. */
  readonly hostKeys?: readonly ('ed25519' | 'ecdsa' | 'rsa')[];
  /** Runs instead of whatever the client asks for (ForceCommand). */
  readonly forceCommand?: string;
  /** Keys that may log in, in place of the one of `identityFile`. */
  readonly authorizedKeysFile?: string;
  /** Further lines of sshd_config(5). */
  readonly config?: readonly string[];
  /** A program and its arguments that becomes sshd in surroundings of its own: `nsenter --mount=…`. */
  readonly through?: readonly string[];
  /** Where its folder is made; the temporary folder when left out. */
  readonly parentFolder?: string;
}

/** A real sshd on loopback, with throw-away keys. */
export interface Sshd {
  readonly port: number;
  readonly user: string;
  /** All of its files; removed by `stop`. */
  readonly folder: string;
  /** A private key that it lets in. */
  readonly identityFile: string;
  /** Has its host keys under `[127.0.0.1]:PORT`. */
  readonly knownHostsFile: string;
  /** Settings of it as a host called `name`. */
  readonly host: (name: string, changes?: Partial<SshHost>) => SshHost;
  /** What sshd has said so far (its log). */
  readonly log: () => string;
  /** The processes of the connections that are open now: killing one cuts its connection. */
  readonly sessions: () => Promise<number[]>;
  /** Ends it with its connections, and starts it again on the same port with the same keys. */
  readonly restart: () => Promise<void>;
  /** Ends it and its sessions, and removes its folder. */
  readonly stop: () => Promise<void>;
}

/** A TCP port of 127.0.0.1 that nobody listened on a moment ago. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
};

/** Makes a key pair without a passphrase at `file` and `file.pub` (ssh-keygen(1)). */
export const makeKey = async (file: string, type: 'ed25519' | 'ecdsa' | 'rsa' = 'ed25519'): Promise<void> => {
  await run('ssh-keygen', [
    '-q',
    '-t',
    type,
    ...(type === 'rsa' ? ['-b', '2048'] : []),
    '-N',
    '',
    '-C',
    '',
    '-f',
    file,
  ]);
};

/** The path of sshd, which asks to be started by its full path; it is often not on a user's PATH. */
const findSshd = async (): Promise<string> => {
  for (const folder of ['/usr/sbin', '/usr/local/sbin', '/usr/bin', '/sbin', '/usr/lib/ssh']) {
    const path = join(folder, 'sshd');
    const found = await access(path).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  throw new Error('sshd is not installed: install openssh-server');
};

const childrenOf = async (parent: number): Promise<number[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const parents = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    }),
  );
  return pids.filter((_, index) => parents[index] === parent).map(Number);
};

const stopProcess = async (sshd: ChildProcess): Promise<void> => {
  if (sshd.pid === undefined || sshd.exitCode !== null || sshd.signalCode !== null) return;
  const exited = once(sshd, 'exit');
  // Each connection has a process of its own, which would outlive the one that listens.
  const sessions = await childrenOf(sshd.pid);
  sshd.kill('SIGTERM');
  await exited;
  for (const pid of sessions) {
    try {
      process.kill(pid, 'SIGTERM');
    } catch {
      // It has ended by itself.
    }
  }
};

const ADDRESS_IN_USE = /Address already in use/;

/** Starts sshd and waits until it listens; rejects with what it said when it ends instead. */
const listen = async (
  [program, ...args]: readonly [string, ...string[]],
  config: string,
  log: string[],
): Promise<ChildProcess> => {
  const sshd = spawn(program, [...args, '-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  sshd.stderr.setEncoding('utf8');
  let said = '';
  await new Promise<void>((resolve, reject) => {
    sshd.stderr.on('data', (text: string) => {
      log.push(text);
      said = (said + text).slice(-10_000);
      if (said.includes('Server listening on')) resolve();
    });
    sshd.once('error', reject);
    sshd.once('exit', (code) => reject(new Error(`sshd ended with ${code}: ${log.join('').trim()}`)));
  });
  return sshd;
};

/** Starts a throw-away sshd on a free port of 127.0.0.1. Rejects when sshd or ssh-keygen are not installed. */
export const startSshd = async (options: SshdOptions = {}): Promise<Sshd> => {
  const path = await findSshd();
  const user = options.user ?? userInfo().username;
  const [first, ...more] = [...(options.through ?? []), path];
  const program = [first ?? path, ...more] as const;
  const folder = await mkdtemp(join(options.parentFolder ?? tmpdir(), 'straceback-sshd-'));
  const file = (name: string) => join(folder, name);
  try {
    // sshd of another user must be able to read authorized_keys.
    await chmod(folder, 0o755);
    const types = options.hostKeys ?? ['ed25519'];
    await Promise.all([makeKey(file('login')), ...types.map((type) => makeKey(file(`host_${type}`), type))]);
    await writeFile(file('authorized_keys'), await readFile(file('login.pub')), { mode: 0o644 });
    // Where sshd shuts itself in before the login; it refuses to start as root without it.
    if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });

    const log: string[] = [];
    for (let attempt = 1; ; attempt += 1) {
      const port = await freePort();
      const lines = [
        'ListenAddress 127.0.0.1',
        `Port ${port}`,
        ...types.map((type) => `HostKey ${file(`host_${type}`)}`),
        `AuthorizedKeysFile ${options.authorizedKeysFile ?? file('authorized_keys')}`,
        `AllowUsers ${user}`,
        // bash reads ~/.bashrc for a command under sshd unless it is told to be a nested shell; what somebody keeps there
        // may be slow or hang, and a cut connection would end it in the middle.
        'SetEnv SHLVL=1',
        'StrictModes no',
        'UsePAM no',
        'PidFile none',
        'PasswordAuthentication no',
        'KbdInteractiveAuthentication no',
        'PermitRootLogin prohibit-password',
        'PrintMotd no',
        'X11Forwarding no',
        ...(options.forceCommand === undefined ? [] : [`ForceCommand ${options.forceCommand}`]),
        ...(options.config ?? []),
      ];
      await writeFile(file('sshd_config'), `${lines.join('\n')}\n`);
      let sshd: ChildProcess;
      try {
        sshd = await listen(program, file('sshd_config'), log);
      } catch (error) {
        if (attempt < 5 && ADDRESS_IN_USE.test(log.join(''))) continue;
        throw error;
      }
      for (const type of types) {
        const key = (await readFile(file(`host_${type}.pub`), 'utf8')).trim();
        await appendFile(file('known_hosts'), `[127.0.0.1]:${port} ${key}\n`);
      }
      const host = (name: string, changes: Partial<SshHost> = {}): SshHost => ({
        name,
        transport: 'node-ssh',
        address: '127.0.0.1',
        port,
        user,
        identityFile: file('login'),
        knownHostsFile: file('known_hosts'),
        sudo: 'auto',
        keepFolder: '/var/tmp/straceback',
        ...changes,
      });
      const stop = async () => {
        await stopProcess(sshd);
        await rm(folder, { recursive: true, force: true });
      };
      return {
        port,
        user,
        folder,
        identityFile: file('login'),
        knownHostsFile: file('known_hosts'),
        host,
        log: () => log.join(''),
        sessions: async () => (sshd.pid === undefined ? [] : await childrenOf(sshd.pid)),
        restart: async () => {
          await stopProcess(sshd);
          sshd = await listen(program, file('sshd_config'), log);
        },
        stop,
      };
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
};
