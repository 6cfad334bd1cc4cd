import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { APP, afterContainers, INCIDENTS, makeRoot, OWN_PYTHON, openFolder } from './containers.ts';
import { testUser } from './sshd.ts';

const run = promisify(execFile);

/** Containers of podman(1), by root or by a user that exists for the test; everything that it keeps is in a folder of its own. */
export interface Podman {
  /** Runs Python in a container of this name, and resolves with the container's id and its first process on the host. */
  readonly start: (name: string, ...args: string[]) => Promise<{ readonly id: string; readonly pid: number }>;
  readonly running: (name: string) => Promise<boolean>;
  /** Resolves when the container has written such a line. */
  readonly wrote: (name: string, text: string) => Promise<boolean>;
}

/** Processes of a user, by /proc. */
const processesOf = (uid: string): number[] =>
  spawnSync('ps', ['-u', uid, '-o', 'pid='], { encoding: 'utf8' }).stdout.split(/\s+/).filter(Boolean).map(Number);

const makePodman = (user: string | null): Podman => {
  const folder = openFolder();
  const root = makeRoot(folder);
  for (const each of ['home', 'run', 'store', 'state']) mkdirSync(path.join(folder, each));
  const id = user === null ? null : execFileSync('id', ['-u', user], { encoding: 'utf8' }).trim();
  if (id !== null) execFileSync('chown', ['-R', `${id}:${id}`, folder]);
  const as = id === null ? [] : ['setpriv', '--reuid', id, '--regid', id, '--clear-groups'];
  const env = {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    HOME: path.join(folder, 'home'),
    XDG_RUNTIME_DIR: path.join(folder, 'run'),
    XDG_CONFIG_HOME: path.join(folder, 'home'),
  };
  const own = ['--cgroup-manager', 'cgroupfs', '--runtime', 'runc', '--storage-driver', 'vfs'];
  const kept = [
    '--root',
    path.join(folder, 'store'),
    '--runroot',
    path.join(folder, 'state'),
    '--tmpdir',
    path.join(folder, 'run/libpod'),
  ];
  const podman = async (...args: string[]): Promise<string> => {
    const [file = '', ...words] = [...as, 'podman', ...own, ...kept, ...args];
    return (await run(file, words, { env, cwd: folder, timeout: 60_000, killSignal: 'SIGKILL' })).stdout.trim();
  };
  afterContainers(async () => {
    await podman('rm', '--all', '--force', '--time', '0').catch(() => undefined);
    // Without root it leaves a process that keeps the user's namespace.
    for (const pid of id === null ? [] : processesOf(id)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended meanwhile.
      }
    }
    for (const each of ['store/vfs', 'store/overlay'])
      spawnSync('umount', ['-R', path.join(folder, each)], { stdio: 'ignore' });
  });
  return {
    start: async (name, ...args) => {
      const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024'];
      const seen = ['-v', '/usr:/usr:ro', '-v', `${INCIDENTS}:${APP}:ro`, '-e', 'PYTHONHOME=/usr'];
      const made = await podman(
        'run',
        '-d',
        '--name',
        name,
        '--network',
        'none',
        ...limits,
        ...seen,
        '--rootfs',
        root,
        OWN_PYTHON,
        '-u',
        ...args,
      );
      const pid = Number(await podman('inspect', name, '--format', '{{.State.Pid}}'));
      return { id: made.split('\n').at(-1) ?? '', pid };
    },
    running: async (name) => (await podman('inspect', name, '--format', '{{.State.Running}}')) === 'true',
    wrote: async (name, text) => (await podman('logs', name)).includes(text),
  };
};

/** podman as root. */
export const podmanOfRoot = (): Podman => makePodman(null);

/** podman as a user of its own. Call `endSshd` after `endContainers`. */
export const podmanOfUser = (): Podman => makePodman(testUser({ sudo: false }));

/** Why podman makes no containers here, or null when it does: it is tried once. */
export const whyNoPodman = async (make: () => Podman, end: () => Promise<void>): Promise<string | null> => {
  if (process.getuid?.() !== 0) return 'not root';
  for (const tool of ['podman', 'runc', 'setpriv', 'newuidmap']) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' }).status !== 0)
      return `${tool} is not installed`;
  }
  try {
    await make().start('straceback-try', '-c', 'print("ready")');
    return null;
  } catch (error) {
    return `podman cannot make containers here: ${String(error).trim().split('\n').at(-1)}`;
  } finally {
    await end();
  }
};
