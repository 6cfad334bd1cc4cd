import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { APP, afterContainers, INCIDENTS, makeRoot, OWN_PYTHON, openFolder, removeGroups } from './containers.ts';
import { startProcess } from './live-process.ts';
import { until } from './until.ts';

const run = promisify(execFile);
const has = (tool: string): boolean => spawnSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' }).status === 0;

/** A daemon that makes containers, with a folder and a socket of its own; `endContainers` ends it. */
export interface Daemon {
  /** Runs its client. */
  readonly ask: (...words: string[]) => Promise<string>;
  /** The words that its client begins with. */
  readonly client: readonly string[];
  /** What its containers see as their root. */
  readonly root: string;
}

/** Why a daemon cannot be had here, or null. */
export const whyNoDaemon = (...tools: readonly string[]): string | null => {
  if (process.getuid?.() !== 0) return 'not root';
  const missing = tools.find((tool) => !has(tool));
  return missing === undefined ? null : `${missing} is not installed`;
};

const start = async (
  program: string,
  args: readonly string[],
  client: readonly string[],
  root: string,
): Promise<Daemon> => {
  const live = await startProcess('sh', ['-c', 'exec "$@" 2>/dev/null', 'sh', program, ...args]);
  afterContainers(async () => {
    if (live.child.exitCode !== null || live.child.signalCode !== null) return;
    const exit = once(live.child, 'exit');
    live.child.kill('SIGTERM');
    await exit;
  });
  const ask = async (...words: string[]): Promise<string> => {
    const [file = '', ...first] = client;
    return (await run(file, [...first, ...words], { timeout: 60_000, killSignal: 'SIGKILL' })).stdout.trim();
  };
  await until(`${program} answers`, async () => {
    if (live.child.exitCode !== null) throw new Error(`${program} ended`);
    return ask('version').then(
      () => true,
      () => false,
    );
  });
  return { ask, client, root };
};

/** containerd with its own client. */
export const startContainerd = async (): Promise<Daemon> => {
  const folder = openFolder();
  const socket = path.join(folder, 'socket');
  const lines = [
    'version = 2',
    `root = "${folder}/root"`,
    `state = "${folder}/state"`,
    'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
    `[grpc]\naddress = "${socket}"`,
  ];
  writeFileSync(path.join(folder, 'config.toml'), lines.join('\n'));
  return start('containerd', ['-c', path.join(folder, 'config.toml')], ['ctr', '-a', socket], makeRoot(folder));
};

/** docker's daemon in a network namespace of its own, with an image `till` of the small root. */
export const startDocker = async (): Promise<Daemon> => {
  const folder = openFolder();
  const root = makeRoot(folder);
  for (const each of ['home', 'run']) mkdirSync(path.join(folder, each));
  const socket = `unix://${folder}/socket`;
  const group = path.basename(folder);
  removeGroups(group);
  const own = [
    '--data-root',
    `${folder}/data`,
    '--exec-root',
    `${folder}/run`,
    '--pidfile',
    `${folder}/pid`,
    '-H',
    socket,
  ];
  const network = ['--bridge=none', '--iptables=false', '--ip6tables=false'];
  const rest = [
    '--storage-driver',
    'vfs',
    '--exec-opt',
    'native.cgroupdriver=cgroupfs',
    '--cgroup-parent',
    `/${group}`,
    '--config-file',
    `${folder}/daemon.json`,
  ];
  writeFileSync(path.join(folder, 'daemon.json'), '{}');
  const daemon = await start(
    'unshare',
    ['-n', 'dockerd', ...own, ...network, ...rest],
    ['docker', '--config', `${folder}/home`, '-H', socket],
    root,
  );
  const image = path.join(folder, 'image.tar');
  await run('tar', ['-C', root, '-cf', image, '.']);
  if (!existsSync(image)) throw new Error('no image');
  // Else it waits ten seconds for each of them when it ends.
  afterContainers(async () => {
    const left = (await daemon.ask('ps', '-aq').catch(() => '')).split('\n').filter((id) => id !== '');
    if (left.length > 0) await daemon.ask('rm', '-f', ...left).catch(() => undefined);
  });
  await daemon.ask('import', image, 'till');
  return daemon;
};

/** What a container of a daemon runs: Python with these arguments. */
export const python = (...args: readonly string[]): string[] => [OWN_PYTHON, '-u', ...args];

/** What a container of docker sees of the host. */
export const DOCKER_SEES = ['-v', '/usr:/usr:ro', '-v', `${INCIDENTS}:${APP}:ro`, '-e', 'PYTHONHOME=/usr'];

/** The same for containerd's client. */
export const CTR_SEES = [
  ...['--mount', 'type=bind,src=/usr,dst=/usr,options=rbind:ro'],
  ...['--mount', `type=bind,src=${INCIDENTS},dst=${APP},options=rbind:ro`, '--env', 'PYTHONHOME=/usr'],
];
