import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hostLookup, localHost } from '../../infra/hosts.ts';
import type { RemoteStep } from '../../workers/ssh/remote-step.ts';
import { type HostShell, openShell, startShell } from '../../workers/ssh/shell.ts';
import { SHELL_LIMITS } from '../../workers/ssh/shell-limits.ts';
import type { StreamEnd } from '../../workers/ssh/transports/stream.ts';
import { opensshHost } from './openssh.ts';
import { atEnd, testSshd } from './sshd.ts';

/** A step with nothing special about it. */
export const step = (argv: readonly string[], changes: Partial<RemoteStep> = {}): RemoteStep => ({
  id: 'step',
  argv,
  scripts: [],
  seconds: 30,
  bytes: 100_000,
  endWith: 'TERM',
  ptraces: false,
  target: null,
  ...changes,
});

/** The private folder of a shell on its host: scripts are in a folder of it. */
export const folderOf = async (shell: HostShell): Promise<string> => {
  const script = { name: 'where', content: '' };
  const { stdout } = await shell.run(step(['echo', '{script:where}'], { scripts: [script] }));
  return dirname(dirname(Buffer.from(stdout).toString().trim()));
};

/** What a host says on its standard output to a command. */
export const textOf = async (shell: HostShell, ...argv: string[]): Promise<string> =>
  Buffer.from((await shell.run(step(argv))).stdout)
    .toString()
    .trim();

/** The runner in a given shell on this machine. */
export const openIn = (command: string, args: readonly string[], path?: string): Promise<HostShell> => {
  const env = path === undefined ? process.env : { ...process.env, PATH: path };
  const child = spawn(command, args, { stdio: 'pipe', detached: true, env });
  const { stdin, stdout, stderr } = child;
  const closed = new Promise<StreamEnd>((resolve) => child.once('close', (exit) => resolve({ exit })));
  return startShell(command, { stdin, stdout, stderr, closed, destroy: () => stdin.destroy() }, SHELL_LIMITS);
};

const isHere = (command: string): boolean => {
  try {
    execFileSync('sh', ['-c', 'command -v "$1"', 'sh', command], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** A shell with nothing but busybox's tools first on its PATH. */
const openInBusybox = (): Promise<HostShell> => {
  const folder = mkdtempSync(join(tmpdir(), 'straceback-busybox-'));
  execFileSync('busybox', ['--install', '-s', folder]);
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return openIn(join(folder, 'sh'), ['-s'], folder);
};

/** A shell on a machine without any Python, with no tools but those of POSIX that the lister may use. Call `endSshd` afterwards. */
export const withoutPython = (): Promise<HostShell> => {
  const bin = mkdtempSync(join(tmpdir(), 'straceback-no-python-'));
  atEnd(() => rmSync(bin, { recursive: true, force: true }));
  for (const place of ['/usr/bin', '/bin', '/usr/sbin', '/sbin']) {
    for (const tool of readdirSync(place)) {
      if (/^(?:python|pypy)/.test(tool)) continue;
      try {
        symlinkSync(join(place, tool), join(bin, tool));
      } catch {
        // The same tool of another folder is there already.
      }
    }
  }
  // The lister puts the usual folders behind PATH: there a Python that is none stands before the real one.
  for (const name of ['python3', ...['13', '12', '11', '10', '9', '8', '6'].map((minor) => `python3.${minor}`)]) {
    writeFileSync(join(bin, name), '#!/bin/sh\nexit 1\n');
    chmodSync(join(bin, name), 0o755);
  }
  return openIn('sh', ['-s'], bin);
};

/** The ways to a shell that every host must behave alike through: [name, opener]. Call `endSshd` afterwards. */
export const waysToAShell: readonly (readonly [string, () => Promise<HostShell>])[] = [
  ['local', () => openShell(localHost(), hostLookup([]))],
  ['node-ssh', async () => openShell((await testSshd()).host('web-7'), hostLookup([]))],
  ['openssh', async () => openShell(opensshHost(await testSshd(), 'web-7'), hostLookup([]))],
  ...(isHere('bash') ? ([['bash', () => openIn('bash', ['-s'])]] as const) : []),
  ...(isHere('busybox') ? ([['busybox', openInBusybox]] as const) : []),
];
