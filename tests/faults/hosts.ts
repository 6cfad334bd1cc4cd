import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { type Sshd, startSshd } from '../../infra/sandbox/sshd.ts';
import { type ProcessState, processState } from '../support/unhurt.ts';

/** A program that runs on a host all the time and is looked at again and again. */
export interface Target {
  readonly file: string;
  /** The process that is looked at. */
  readonly pid: number;
  readonly before: ProcessState;
}

/** Disks of a host that can be filled; each is a small tmpfs of its own. */
export type Disk = 'memory' | 'keep';

/**
 * A host of the run: an sshd in a mount namespace, so that /tmp, /dev/shm and the keep folder are its own and what is left there
 * can be told from what others on this machine leave. Its programs run in the same namespace.
 */
export interface Host {
  readonly name: string;
  /** The process that keeps its namespace; /proc/HOLDER/root is what it sees. */
  readonly holder: number;
  readonly sshd: Sshd;
  readonly targets: readonly Target[];
  /** Fills a disk to the last byte; the second call of what is returned does nothing. */
  readonly fill: (disk: Disk) => () => void;
  /** Files in its temporary folders that were not there before the looks, and cores that nobody finished. */
  readonly leftFiles: () => string[];
  /** Cores that are there because somebody asked for them; they stay for a day. */
  readonly cores: () => number;
  /** Processes in its namespace that are neither its programs nor its sshd, as `PID command`. */
  readonly leftProcesses: () => Promise<string[]>;
  readonly close: () => Promise<void>;
}

const ROOT = path.join(import.meta.dirname, '../..');

/** Where the temporary files of a host are, as it sees them. */
const DISKS: Readonly<Record<Disk, { readonly at: string; readonly size: string }>> = {
  memory: { at: '/dev/shm', size: '32m' },
  // gcore wants 256 MiB to spare.
  keep: { at: '/var/tmp/straceback', size: '384m' },
};

/**
 * Makes the surroundings, says `ready`, and keeps them until its input ends. $1 and $2 stay in sight though they may be below /tmp: the
 * folder of the host and the repository.
 */
const HOLDER = `set -e
mkdir -p /var/tmp/straceback
mount -t tmpfs -o size=${DISKS.memory.size},mode=1777 tmpfs /dev/shm
mount -t tmpfs -o size=${DISKS.keep.size},mode=700 tmpfs /var/tmp/straceback
mkdir /dev/shm/1 /dev/shm/2
mount --bind "$1" /dev/shm/1
mount --bind "$2" /dev/shm/2
mount -t tmpfs -o size=64m,mode=1777 tmpfs /tmp
mkdir -p "$1" "$2"
mount --move /dev/shm/1 "$1"
mount --move /dev/shm/2 "$2"
rmdir /dev/shm/1 /dev/shm/2
echo ready
exec cat`;

const namespaceOf = (pid: number | string): string => {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return '';
  }
};

const commandOf = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim().slice(0, 120);
  } catch {
    return '';
  }
};

/** Programs with a fault, or with none, by file; all of them stand for hours without harm to the machine. */
export const PROGRAMS = [
  'tests/incidents/waiting-forever/mail_batch.py',
  'infra/sandbox/programs/price_feed.py',
  'tests/incidents/healthy/idle_server.py',
  'tests/incidents/pipe-deadlock/sort_names.py',
  'infra/sandbox/programs/hello_web.py',
  'tests/incidents/thread-deadlock/transfers.py',
  'infra/sandbox/programs/log_shipper.py',
  'tests/incidents/waiting-forever/nightly_cleanup.py',
] as const;

const STANDS = /^(?:symptom stands|standing (\d+)|\{"pid": (\d+), "event": "stuck"\})$/;

const startTarget = async (
  file: string,
  through: readonly string[],
  folder: string,
): Promise<{ target: Target; child: ChildProcess }> => {
  const [program = '', ...args] = [...through, '/usr/bin/python3', '-u', path.join(ROOT, file)];
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
    cwd: folder,
    env: { ...process.env, TMPDIR: folder },
  });
  const pid = await new Promise<number>((resolve, reject) => {
    let named = child.pid ?? 0;
    createInterface({ input: child.stdout }).on('line', (line) => {
      named = Number(/^child (\d+)$/.exec(line)?.[1] ?? named);
      const stands = STANDS.exec(line);
      if (stands !== null) resolve(Number(stands[1] ?? stands[2] ?? named));
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code} before its symptom stood`)));
  });
  return { target: { file, pid, before: await processState(pid) }, child };
};

const killGroup = (pid: number | undefined): void => {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
};

/** Whether hosts can be made here: mount namespaces need root. */
export const canMakeHosts = (): boolean => {
  if (process.getuid?.() !== 0) return false;
  try {
    execFileSync('unshare', ['--mount', 'sh', '-c', 'mount -t tmpfs tmpfs /dev/shm'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** Starts a host with so many programs, the first of which is `PROGRAMS[first]`. Needs root. `folder` is the run's, below /tmp. */
export const startHost = async (name: string, folder: string, programs: number, first: number): Promise<Host> => {
  const own = path.join(folder, name);
  execFileSync('mkdir', ['-p', own]);
  const holder = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', HOLDER, 'sh', own, ROOT], {
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd: own,
  });
  const held = once(holder, 'exit');
  const children: ChildProcess[] = [];
  let sshd: Sshd | null = null;
  const close = async () => {
    for (const child of children) killGroup(child.pid);
    await sshd?.stop();
    holder.stdin.end();
    await held;
    rmSync(own, { recursive: true, force: true });
  };
  try {
    await Promise.race([
      once(createInterface({ input: holder.stdout }), 'line'),
      held.then(() => Promise.reject(new Error('a host could not be made: its mounts failed'))),
    ]);
    const through = ['nsenter', `--mount=/proc/${holder.pid}/ns/mnt`, `--wdns=${own}`];
    sshd = await startSshd({ through, parentFolder: own });
    const targets: Target[] = [];
    for (let index = 0; index < programs; index += 1) {
      const file = PROGRAMS[(first + index) % PROGRAMS.length] ?? PROGRAMS[0];
      const { target, child } = await startTarget(file, through, own);
      children.push(child);
      targets.push(target);
    }
    const space = namespaceOf(holder.pid ?? 0);
    const inside = () => readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && namespaceOf(pid) === space);
    const outside = (file: string) => `/proc/${holder.pid}/root${file}`;
    const ours = new Set(inside());
    const files = (at: string): string[] =>
      readdirSync(outside(at), { recursive: true, encoding: 'utf8' })
        .map((file) => path.join(at, file))
        .filter((file) => !file.startsWith(own) && !file.startsWith(`${ROOT}/`));
    const running = sshd;
    const there = new Set(['/tmp', '/dev/shm'].flatMap(files));
    return {
      name,
      holder: holder.pid ?? 0,
      sshd: running,
      targets,
      fill: (disk) => {
        const full = outside(path.join(DISKS[disk].at, 'filled'));
        const { bsize, bavail } = statfsSync(outside(DISKS[disk].at));
        try {
          writeFileSync(full, Buffer.alloc(bsize * bavail));
        } catch {
          // Somebody else took the last page.
        }
        return () => rmSync(full, { force: true });
      },
      leftFiles: () => {
        const kept = files(DISKS.keep.at).filter((file) =>
          statSync(outside(file), { throwIfNoEntry: false })?.isFile(),
        );
        return [
          ...['/tmp', '/dev/shm'].flatMap(files).filter((file) => !there.has(file)),
          ...kept.filter((file) => !/\/cores\/core\.\d+\.\d+\.\d{8}T\d{6}Z$/.test(file)),
        ];
      },
      cores: () => files(DISKS.keep.at).filter((file) => /Z$/.test(file)).length,
      leftProcesses: async () => {
        const sessions = new Set((await running.sessions()).map(String));
        return inside()
          .filter((pid) => !ours.has(pid) && !sessions.has(pid) && !commandOf(pid).startsWith('sshd:'))
          .map((pid) => `${pid} ${commandOf(pid)}`)
          .filter((line) => !/^\d+ \/\S*sshd -D/.test(line));
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
};
