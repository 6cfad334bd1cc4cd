import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { type LiveProcess, startProcess } from './live-process.ts';

/** Real containers, made by runc(8), crun(1) or podman(1) of a small root folder on this machine; no image is fetched. */
export const INCIDENTS = path.resolve(import.meta.dirname, '..', 'incidents');
/** Where programs of `tests/incidents` stand inside. */
export const APP = '/srv/straceback-till';
/** A Python inside that is nowhere on the host. */
export const OWN_PYTHON = '/opt/straceback-till/python3';

const run = promisify(execFile);
const has = (tool: string): boolean => spawnSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' }).status === 0;

/** How a runtime is called: `cgroups` as they are here, or cgroups(7) 2 alone in a mount namespace of its own. */
export interface Runtime {
  readonly program: 'runc' | 'crun';
  readonly cgroups: 'as they are' | '2 alone';
}

const V2_ALONE = 'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && exec "$@"';

const words = ({ program, cgroups }: Runtime, ...args: readonly string[]): [string, string[]] =>
  cgroups === '2 alone' ? ['unshare', ['-m', 'sh', '-c', V2_ALONE, 'sh', program, ...args]] : [program, [...args]];

export interface Inside {
  /** Arguments of Python. */
  readonly args: readonly string[];
  /** 64 hexadecimal digits when left out. */
  readonly id?: string;
  /** What is seen as /usr; the host's when left out, then with a Python of its own beside it. */
  readonly usr?: string;
  /** Users inside are others on the host, from this one on. */
  readonly usersFrom?: number;
}

/** A container that runs. */
export interface Container {
  readonly id: string;
  readonly live: LiveProcess;
  /** Its first process, as the host sees it. */
  readonly pid: () => number;
  readonly status: () => string;
  /** Runs something more inside, which stays. */
  readonly enter: (...args: string[]) => void;
}

const NAMESPACES = ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'];
/** What looks from outside live on is forbidden inside. */
const FORBIDDEN = ['ptrace', 'process_vm_readv', 'process_vm_writev', 'kcmp', 'perf_event_open', 'mount'];

const bind = (destination: string, source: string) => ({ destination, type: 'none', source, options: ['rbind', 'ro'] });

/** The configuration of an OCI runtime: nobody's rights, a filter of system calls, a root that cannot be written to. */
const configOf = (id: string, { args, usr, usersFrom }: Inside) => ({
  ociVersion: '1.0.2',
  process: {
    terminal: false,
    user: { uid: 1234, gid: 1234 },
    args: [usr === undefined ? OWN_PYTHON : '/usr/bin/python3', '-u', ...args],
    env: ['PATH=/usr/bin:/bin', 'PYTHONHOME=/usr', 'PYTHONDONTWRITEBYTECODE=1'],
    cwd: '/tmp',
    capabilities: {},
    noNewPrivileges: true,
  },
  root: { path: 'rootfs', readonly: true },
  hostname: 'till',
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
    { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['mode=1777'] },
    bind('/usr', usr ?? '/usr'),
    bind(APP, INCIDENTS),
  ],
  linux: {
    cgroupsPath: `/${id}`,
    namespaces: [...NAMESPACES, ...(usersFrom === undefined ? [] : ['user'])].map((type) => ({ type })),
    ...(usersFrom === undefined
      ? {}
      : Object.fromEntries(
          ['uidMappings', 'gidMappings'].map((kind) => [kind, [{ containerID: 0, hostID: usersFrom, size: 65_536 }]]),
        )),
    seccomp: {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: FORBIDDEN, action: 'SCMP_ACT_ERRNO' }],
    },
    maskedPaths: ['/proc/kcore'],
    readonlyPaths: ['/proc/sys'],
  },
});

/** Makes the folder that a container sees as its root; everybody may look into it. */
export const makeRoot = (folder: string): string => {
  const root = path.join(folder, 'rootfs');
  for (const each of ['proc', 'dev', 'tmp', 'usr', 'etc', path.dirname(OWN_PYTHON), APP]) {
    mkdirSync(path.join(root, each), { recursive: true });
  }
  for (const each of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${each}`, path.join(root, each));
  copyFileSync(realpathSync('/usr/bin/python3'), path.join(root, OWN_PYTHON));
  return root;
};

const undo: (() => Promise<void>)[] = [];

/** Ends and removes all containers of this test file. For `afterEach`. */
export const endContainers = async (): Promise<void> => {
  for (let next = undo.pop(); next !== undefined; next = undo.pop()) await next();
};

/** Removes control groups of this name, with what is empty below them, from all hierarchies once `endContainers` has ended what was in them. */
export const removeGroups = (name: string): void => {
  afterContainers(async () => {
    const empty = ['-depth', '-type', 'd', '-path', `*/${name}*`, '-exec', 'rmdir', '{}', ';'];
    await run('find', ['/sys/fs/cgroup', ...empty]).catch(() => undefined);
  });
};

/** Has `endContainers` do something more. */
export const afterContainers = (step: () => Promise<void>): void => void undo.push(step);

/** A folder that everybody may enter, until `endContainers`. */
export const openFolder = (): string => {
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-container-'));
  execFileSync('chmod', ['755', folder]);
  afterContainers(async () => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

/** Runs Python in a container; what it writes is read from `live`. It is gone after `endContainers`. */
export const startContainer = async (runtime: Runtime, inside: Inside): Promise<Container> => {
  const id = inside.id ?? randomBytes(32).toString('hex');
  const folder = openFolder();
  makeRoot(folder);
  writeFileSync(path.join(folder, 'config.json'), JSON.stringify(configOf(id, inside)));
  afterContainers(async () => {
    const [file, args] = words(runtime, 'delete', '-f', id);
    await run(file, args).catch(() => undefined);
  });
  const live = await startProcess(...words(runtime, 'run', '--bundle', folder, id));
  afterContainers(async () => {
    if (live.child.exitCode !== null || live.child.signalCode !== null) return;
    const exit = once(live.child, 'exit');
    const [file, args] = words(runtime, 'kill', id, 'KILL');
    await run(file, args).catch(() => live.child.kill('SIGKILL'));
    await exit;
  });
  const state = () => {
    const [file, args] = words(runtime, 'state', id);
    return JSON.parse(execFileSync(file, args, { encoding: 'utf8' })) as { pid: number; status: string };
  };
  return {
    id,
    live,
    pid: () => state().pid,
    status: () => state().status,
    enter: (...more) => {
      const [file, args] = words(runtime, 'exec', '-d', id, ...more);
      execFileSync(file, args, { stdio: 'ignore' });
    },
  };
};

/** Why a runtime makes no containers here, or null when it does: it is tried once. */
const whyNot = async (runtime: Runtime): Promise<string | null> => {
  if (process.getuid?.() !== 0) return 'not root';
  if (!has(runtime.program)) return `${runtime.program} is not installed`;
  if (!existsSync('/usr/bin/python3') || !existsSync('/usr/lib')) return 'no /usr to show inside';
  try {
    const { live } = await startContainer(runtime, { args: ['-c', 'print("ready", flush=True)'] });
    await live.line(/^ready/);
    return null;
  } catch {
    return `${runtime.program} cannot make containers here`;
  } finally {
    await endContainers();
  }
};

/** Runtimes with whether they can be used on this machine: `why` is null when they can. */
export const runtimes = async (): Promise<(Runtime & { readonly why: string | null })[]> => {
  const all: Runtime[] = [
    { program: 'runc', cgroups: 'as they are' },
    { program: 'runc', cgroups: '2 alone' },
    { program: 'crun', cgroups: '2 alone' },
  ];
  const tried: (Runtime & { readonly why: string | null })[] = [];
  for (const runtime of all) tried.push({ ...runtime, why: await whyNot(runtime) });
  return tried;
};
