import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A swap file that a test made. */
export interface SwapFile {
  /** Takes it back; what is in it goes to memory first, so its user is ended before. */
  readonly remove: () => void;
}

const run = (program: string, ...words: readonly string[]): boolean =>
  spawnSync(program, words, { stdio: 'ignore', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } })
    .status === 0;

/** Makes a swap file and turns it on; null where that cannot be (no root, a file system that does not allow it). */
export function makeSwapFile(mebibytes: number): SwapFile | null {
  if (process.getuid?.() !== 0) return null;
  const folder = mkdtempSync(join(tmpdir(), 'straceback-swap-'));
  const file = join(folder, 'swap');
  const made =
    run('fallocate', '-l', `${mebibytes}M`, file) &&
    run('chmod', '600', file) &&
    run('mkswap', '-q', file) &&
    run('swapon', file);
  if (!made) {
    rmSync(folder, { recursive: true, force: true });
    return null;
  }
  return {
    remove: () => {
      if (!run('swapoff', file)) throw new Error(`${file} is still in use as swap`);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
