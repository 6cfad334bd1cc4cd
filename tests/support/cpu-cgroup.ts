import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './until.ts';

/** A control group with a quota of processor time that a test made. */
export interface CpuCgroup {
  /** Its path inside the hierarchy, as /proc/PID/cgroup writes it. */
  readonly path: string;
  readonly add: (pid: number) => void;
  /** Removes it; its processes must have ended. */
  readonly remove: () => Promise<void>;
}

const V1 = ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup/cpu,cpuacct'];
const V2 = '/sys/fs/cgroup';

const hierarchy = (): string =>
  V1.find((folder) => existsSync(join(folder, 'cpu.cfs_quota_us')) || existsSync(join(folder, 'cpu.shares'))) ?? V2;

/** Why groups with a quota cannot be made here, or null when they can: needs root and a writable hierarchy. */
export function whyNoCpuCgroup(): string | null {
  if (process.getuid?.() !== 0) return 'not root';
  const folder = hierarchy();
  try {
    accessSync(folder, constants.W_OK);
    if (folder !== V2) return null;
    const controllers = readFileSync(join(V2, 'cgroup.subtree_control'), 'utf8');
    return /\bcpu\b/.test(controllers) ? null : 'the cpu controller is not enabled below the root cgroup';
  } catch {
    return `${folder} is no writable cgroup hierarchy`;
  }
}

/** Makes one that may use `share` of a processor. Throws where `whyNoCpuCgroup` says why. `inside`: below that one. */
export function makeCpuCgroup(share: number, inside?: CpuCgroup): CpuCgroup {
  const base = hierarchy();
  const name = `straceback-test-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  const path = `${inside?.path ?? ''}/${name}`;
  const folder = join(base, path);
  mkdirSync(folder);
  if (Number.isFinite(share)) {
    if (base === V2) writeFileSync(join(folder, 'cpu.max'), `${Math.round(share * 100_000)} 100000`);
    else writeFileSync(join(folder, 'cpu.cfs_quota_us'), String(Math.round(share * 100_000)));
  }
  return {
    path,
    add: (pid) => writeFileSync(join(folder, 'cgroup.procs'), String(pid)),
    remove: async () => {
      // A process that has just ended may still be on its way out of the group.
      await until(`${folder} can be removed`, () => {
        try {
          rmdirSync(folder);
          return true;
        } catch {
          return false;
        }
      });
    },
  };
}
