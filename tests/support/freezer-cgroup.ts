import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './until.ts';

/** A control group that a test made and can freeze. */
export interface FreezerCgroup {
  /** The file by which it is frozen and thawed. */
  readonly file: string;
  /** Moves a process in and freezes it; resolves when the kernel says that it is frozen. */
  readonly freeze: (pid: number) => Promise<void>;
  readonly thaw: () => void;
  /** Removes it; its processes must have ended. */
  readonly remove: () => Promise<void>;
}

const FOLDERS = ['/sys/fs/cgroup/freezer', '/sys/fs/cgroup/unified', '/sys/fs/cgroup'];

const writable = (folder: string): boolean => {
  try {
    accessSync(folder, constants.W_OK);
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
};

/** Hierarchies of this host in which groups can be frozen: of the freezer of version 1, and of version 2. */
export const freezers = (): string[] =>
  FOLDERS.filter(
    (folder) => writable(folder) && (folder.endsWith('/freezer') || existsSync(join(folder, 'cgroup.controllers'))),
  );

/** Makes a group in one of `freezers()`. */
export const makeFreezerCgroup = (hierarchy: string): FreezerCgroup => {
  const folder = join(hierarchy, `straceback-test-${process.pid}-${Math.random().toString(36).slice(2, 8)}`);
  mkdirSync(folder);
  const v1 = hierarchy.endsWith('/freezer');
  const file = join(folder, v1 ? 'freezer.state' : 'cgroup.freeze');
  const says = (): boolean =>
    v1
      ? readFileSync(file, 'utf8') === 'FROZEN\n'
      : readFileSync(join(folder, 'cgroup.events'), 'utf8').includes('frozen 1');
  return {
    file,
    freeze: async (pid) => {
      writeFileSync(join(folder, 'cgroup.procs'), String(pid));
      writeFileSync(file, v1 ? 'FROZEN' : '1');
      await until(`${file} says that it is frozen`, says);
    },
    thaw: () => writeFileSync(file, v1 ? 'THAWED' : '0'),
    remove: async () => {
      await until(`${folder} can be removed`, () => {
        try {
          rmdirSync(folder);
          return true;
        } catch {
          // A process that has just ended may still be on its way out of the group.
          return false;
        }
      });
    },
  };
};
