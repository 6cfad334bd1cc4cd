import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A memory cgroup that a test made. */
export interface MemoryCgroup {
  /** Its path inside the hierarchy, as /proc/PID/cgroup writes it. */
  readonly path: string;
  readonly add: (pid: number) => void;
  /** Removes it; its processes must have ended. */
  readonly remove: () => Promise<void>;
}

const V1 = '/sys/fs/cgroup/memory';
const V2 = '/sys/fs/cgroup';

/** Why memory cgroups cannot be made here, or null when they can: needs root and a writable hierarchy. */
export function whyNoMemoryCgroup(): string | null {
  if (process.getuid?.() !== 0) return 'not root';
  const folder = existsSync(join(V1, 'memory.limit_in_bytes')) ? V1 : V2;
  try {
    accessSync(folder, constants.W_OK);
    if (folder === V1) return null;
    const controllers = readFileSync(join(V2, 'cgroup.subtree_control'), 'utf8');
    return controllers.includes('memory') ? null : 'the memory controller is not enabled below the root cgroup';
  } catch {
    return `${folder} is no writable cgroup hierarchy`;
  }
}

/**
 * Makes one with a limit in bytes. What is beyond it is killed for, and goes to swap only with `swap`, wherever the machine
 * has any. Throws where `whyNoMemoryCgroup` says why.
 */
export function makeMemoryCgroup(limitBytes: number, { swap = false } = {}): MemoryCgroup {
  const v1 = existsSync(join(V1, 'memory.limit_in_bytes'));
  const name = `straceback-test-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  const folder = join(v1 ? V1 : V2, name);
  mkdirSync(folder);
  writeFileSync(join(folder, v1 ? 'memory.limit_in_bytes' : 'memory.max'), String(limitBytes));
  const swapLimit = join(folder, v1 ? 'memory.memsw.limit_in_bytes' : 'memory.swap.max');
  if (!swap && existsSync(swapLimit)) writeFileSync(swapLimit, v1 ? String(limitBytes) : '0');
  return {
    path: `/${name}`,
    add: (pid) => writeFileSync(join(folder, 'cgroup.procs'), String(pid)),
    remove: async () => {
      // A process that has just ended may still be on its way out of the group.
      for (let attempt = 0; ; attempt++) {
        try {
          rmdirSync(folder);
          return;
        } catch (error) {
          if (attempt === 200) throw error;
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      }
    },
  };
}
