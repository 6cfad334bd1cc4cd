import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { makeKey, type Sshd } from '../../infra/sandbox/sshd.ts';
import { writeHostKit } from '../../workers/host-kit/write.ts';
import { atEnd, testSshd } from './sshd.ts';

/** What `install.sh` needs of a machine. */
export const canInstall =
  process.getuid?.() === 0 &&
  ['/usr/bin/sudo', '/usr/sbin/visudo', '/usr/sbin/useradd', '/usr/bin/flock'].every((file) => existsSync(file));

/** An account that install.sh made on this machine, and where it put what. All of it is gone after `endSshd`. */
export interface InstalledHost {
  readonly user: string;
  readonly prefix: string;
  readonly keep: string;
  /** The folder that `straceback host-kit` wrote. */
  readonly kit: string;
  readonly identityFile: string;
  /** Runs install.sh with more arguments than the account and its prefix. */
  readonly install: (...words: readonly string[]) => { status: number | null; stdout: string; stderr: string };
}

/** Writes the kit and makes an account of a random name with it. Needs root. */
export const installedHost = async (...words: readonly string[]): Promise<InstalledHost> => {
  const name = `sbt-${randomBytes(4).toString('hex')}`;
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-kit-'));
  const prefix = `/usr/local/lib/${name}`;
  const keep = `/var/lib/${name}`;
  const kit = path.join(folder, 'kit');
  const install: InstalledHost['install'] = (...more) => {
    const args = [path.join(kit, 'install.sh'), '--user', name, '--prefix', prefix, ...more];
    const { status, stdout, stderr } = spawnSync('sh', args, { encoding: 'utf8', cwd: '/' });
    return { status, stdout, stderr };
  };
  atEnd(() => {
    install('--remove');
    rmSync(prefix, { recursive: true, force: true });
    rmSync(keep, { recursive: true, force: true });
    rmSync(`/etc/sudoers.d/${name}`, { force: true });
    rmSync(folder, { recursive: true, force: true });
  });
  await writeHostKit(kit);
  await makeKey(path.join(folder, 'login'));
  const { status, stderr } = install('--key', path.join(folder, 'login.pub'), '--keep', keep, ...words);
  if (status !== 0) throw new Error(`install.sh ended with ${status}: ${stderr}`);
  return { user: name, prefix, keep, kit, identityFile: path.join(folder, 'login'), install };
};

/** An sshd for the account of an installed host, with the keys that install.sh wrote for it. */
export const sshdFor = (host: InstalledHost, config: readonly string[] = []): Promise<Sshd> =>
  testSshd({
    user: host.user,
    authorizedKeysFile: path.join(host.prefix, 'home/.ssh/authorized_keys'),
    config: ['AllowTcpForwarding yes', 'AllowAgentForwarding yes', 'PermitTTY yes', 'AcceptEnv *', ...config],
  });

const AS = ({ user }: InstalledHost): string[] => [
  ...['setpriv', '--reuid', user, '--regid', user, '--clear-groups', '--'],
  ...['env', '-i', 'PATH=/usr/bin:/bin'],
];

/** Runs a command as the account, as root may; its own shell is not asked. */
export const asAccount = (host: InstalledHost, argv: readonly string[], input: string | Buffer = '') => {
  const [command = '', ...rest] = [...AS(host), ...argv];
  return spawnSync(command, rest, { input, encoding: 'latin1', cwd: '/', timeout: 60_000 });
};

/** What a session said, and how it ended. */
export interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command, sends it something, and closes its input when it has answered so many steps; for 0, at once or after `held`. */
export const converse = async (
  argv: readonly string[],
  input: string | Buffer,
  answers: number,
  held?: Promise<void>,
): Promise<Said> => {
  const [command = '', ...rest] = argv;
  const child = spawn(command, rest, { stdio: 'pipe', cwd: '/' });
  let [stdout, stderr] = ['', ''];
  child.stdin.on('error', () => {});
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('latin1');
  });
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('latin1');
    if ((stdout.match(/^[0-9a-f]{32} step \d+ /gm)?.length ?? 0) >= answers && answers > 0) child.stdin.end();
  });
  child.stdin.write(input);
  if (answers === 0) void (held ?? Promise.resolve()).then(() => child.stdin.end());
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stdout, stderr };
};

/** The command by which the account asks the runner, as root may give it. */
export const asking = (host: InstalledHost, before: readonly string[] = []): string[] => [
  ...AS(host),
  ...before,
  '/usr/bin/sudo',
  '-n',
  `${host.prefix}/runner`,
];

/** What the account may run as root by sudo: requests and how many steps are to be answered before it is closed. */
export const ask = (
  host: InstalledHost,
  requests: string | Buffer,
  {
    answers = 0,
    nonce = randomBytes(16).toString('hex'),
    before = [] as readonly string[],
    held = Promise.resolve(),
  } = {},
): Promise<Said> => {
  const text = Buffer.concat([Buffer.from(`N=${nonce} W= B=\nsb_start\n`), Buffer.from(requests)]);
  return converse(asking(host, before), text, answers, held);
};

/** The template of a probe that takes so many words, as install.sh put it there: its number, and the seconds that it may take. */
export const templateOf = (host: InstalledHost, name: string, words: number): { number: number; seconds: number } => {
  const version = readFileSync(path.join(host.prefix, 'version'), 'utf8').trim();
  const steps = readFileSync(path.join(host.prefix, `kit-${version}`, 'steps.sh'), 'utf8');
  const line = steps.split('\n').find((each) => each.includes(`[ $# = ${words} ]`) && each.includes(` allow ${name} `));
  if (line === undefined) throw new Error(`no template of ${name} takes ${words} words`);
  const seconds = new RegExp(` allow ${name} '[^']*' [a-z]+ (\\d+) `).exec(line)?.[1];
  return { number: Number(/^\s*(\d+)\)/.exec(line)?.[1]), seconds: Number(seconds) };
};

/** Whether the account exists. */
export const accountExists = (name: string): boolean => {
  try {
    execFileSync('getent', ['passwd', name], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** A folder that anybody may use, gone after `endSshd`. */
export const openFolder = (): string => {
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-open-'));
  chmodSync(folder, 0o755);
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};
