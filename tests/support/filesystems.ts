import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach } from 'vitest';
import { endPrograms } from './incident.ts';
import { endProcesses } from './live-process.ts';

/**
 * Small file systems of a test's own: a tmpfs, or an ext4 in a file. They need root. After each test they are thawed, the
 * programs that use them are ended, and they are unmounted; a guardian does the same when the test run itself is killed.
 */
interface Mounted {
  readonly point: string;
  readonly folder: string;
  /** Ends the guardian, which thaws and unmounts first. */
  readonly release: () => Promise<void>;
}

const mounted: Mounted[] = [];

const tools = (...names: readonly string[]): boolean => {
  try {
    for (const name of names) execFileSync('sh', ['-c', 'command -v "$0"', name], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

const tries = (attempt: () => void): boolean => {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
};

/** Mounts with a guardian that undoes it as soon as its standard input ends, however this process ends. */
const keep = (folder: string, mount: (point: string) => void): Mounted => {
  const point = path.join(folder, 'data');
  execFileSync('mkdir', [point]);
  const guardian = spawn(
    'sh',
    ['-c', 'cat >/dev/null; fsfreeze -u "$0" 2>/dev/null; umount -l "$0" 2>/dev/null; :', point],
    { stdio: ['pipe', 'ignore', 'ignore'], detached: true },
  );
  const ended = once(guardian, 'exit');
  const one: Mounted = {
    point,
    folder,
    release: async () => {
      guardian.stdin?.end();
      await ended;
    },
  };
  mounted.push(one);
  mount(point);
  return one;
};

const freshFolder = (): string => mkdtempSync(path.join(tmpdir(), 'straceback-disk-'));

/** A tmpfs with these options (tmpfs(5)), `size=256k` or `nr_inodes=20`; gives its mount point. Needs root. */
export const smallTmpfs = (options: string): string =>
  keep(freshFolder(), (point) =>
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', point], { stdio: 'ignore' }),
  ).point;

/** An ext4 of so many MiB in a file; gives its mount point. Needs root and a free loop device. */
export const smallExt4 = (mebibytes = 16): string => {
  const folder = freshFolder();
  const image = path.join(folder, 'image');
  writeFileSync(image, '');
  truncateSync(image, mebibytes * 1024 * 1024);
  execFileSync('mkfs.ext4', ['-q', '-F', image], { stdio: 'ignore' });
  return keep(folder, (point) => execFileSync('mount', ['-o', 'loop', image, point], { stdio: 'ignore' })).point;
};

/** Freezes a file system that `smallExt4` made: whoever writes to it waits in state D until it is thawed (fsfreeze(8)). */
export const freeze = (point: string): void => {
  if (!mounted.some((one) => one.point === point)) throw new Error(`${point} is not guarded`);
  execFileSync('fsfreeze', ['-f', point]);
};

/** Lets a frozen file system go on. */
export const thaw = (point: string): void => {
  execFileSync('fsfreeze', ['-u', point]);
};

/**
 * Thaws and unmounts all, and ends the programs and processes of the test; files need not call it, and must not end
 * processes in a hook of their own, which would wait for those that are frozen.
 */
export const releaseFilesystems = async (): Promise<void> => {
  const all = mounted.splice(0);
  for (const one of all) tries(() => execFileSync('fsfreeze', ['-u', one.point], { stdio: 'ignore' }));
  await endPrograms();
  await endProcesses();
  for (const one of all) {
    await one.release();
    rmSync(one.folder, { recursive: true, force: true });
  }
};

afterEach(releaseFilesystems);

/** Whether a tmpfs can be mounted here. */
export const canMount = process.getuid?.() === 0 && tools('mount', 'umount') && tries(probeTmpfs);

function probeTmpfs(): void {
  const folder = freshFolder();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
    execFileSync('umount', ['-l', folder], { stdio: 'ignore' });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether an ext4 can be mounted from a file and frozen here. */
export const canFreeze = canMount && tools('mkfs.ext4', 'fsfreeze', 'losetup') && tries(probeLoop);

function probeLoop(): void {
  execFileSync('losetup', ['-f'], { stdio: 'ignore' });
}
