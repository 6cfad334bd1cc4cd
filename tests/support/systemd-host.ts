import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { until } from './until.ts';

const run = promisify(execFile);

const REPOSITORY = path.resolve(import.meta.dirname, '..', '..');
const SYSTEMD = '/lib/systemd/systemd';

/** What would reach for devices, the clock, the network or files that this machine has for itself. */
const LEFT_OUT = [
  ...[
    'systemd-udevd.service',
    'systemd-udev-trigger.service',
    'systemd-udevd-kernel.socket',
    'systemd-udevd-control.socket',
  ],
  ...[
    'systemd-modules-load.service',
    'systemd-sysctl.service',
    'systemd-binfmt.service',
    'systemd-random-seed.service',
  ],
  ...['systemd-remount-fs.service', 'systemd-tmpfiles-setup.service', 'systemd-tmpfiles-setup-dev.service'],
  ...[
    'systemd-tmpfiles-clean.timer',
    'systemd-timesyncd.service',
    'systemd-networkd.service',
    'systemd-resolved.service',
  ],
  ...['systemd-update-utmp.service', 'systemd-logind.service', 'tmp.mount', 'dev-hugepages.mount', 'dev-mqueue.mount'],
  ...['sys-kernel-debug.mount', 'sys-kernel-tracing.mount', 'sys-kernel-config.mount', 'sys-fs-fuse-connections.mount'],
  ...['proc-sys-fs-binfmt_misc.automount', 'getty.target'],
];

/**
 * Makes control groups of its own and lets systemd become the first process of new namespaces (namespaces(7)), with a root
 * that is this machine's until something is written to it. $1: a folder, $2: the name of the groups, the rest: folders to be the same inside.
 */
const BOOT = `
set -e
here=$1 name=$2
shift 2
while read -r _ at type _; do
  case $type in cgroup | cgroup2) ;; *) continue ;; esac
  mkdir "$at/$name"
  for file in cpuset.cpus cpuset.mems; do
    [ ! -f "$at/$name/$file" ] || [ -n "$(cat "$at/$name/$file")" ] || cat "$at/$file" >"$at/$name/$file"
  done
  echo $$ >"$at/$name/cgroup.procs"
done </proc/self/mounts
exec unshare --fork --pid --mount --cgroup --uts --ipc --kill-child sh -ec "$INSIDE" sh "$here" "$@"
`;

const INSIDE = `
here=$1
shift
mount --make-rprivate /
grep -E '^[^ ]+ [^ ]+ cgroup2? ' /proc/self/mounts >"$here/groups"
mount -t tmpfs tmpfs "$here/written"
mkdir "$here/written/up" "$here/written/work"
root=$here/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$here/written/up,workdir=$here/written/work" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/run/sshd" "$root/dev/shm" "$root/dev/pts"
chmod 1777 "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for each in null zero full random urandom tty; do
  : >"$root/dev/$each"
  mount --bind "/dev/$each" "$root/dev/$each"
done
mount --rbind /sys "$root/sys"
umount -R "$root/sys/fs/cgroup"
set -- "$@"
first=$(head -n 1 "$here/groups")
case $first in *' /sys/fs/cgroup '*) ;; *) mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup" ;; esac
while read -r _ at type options _; do
  mkdir -p "$root$at"
  wanted=
  case $type in
    cgroup) for one in $(echo "$options" | tr , ' '); do case $one in rw | ro | relatime | nosuid | nodev | noexec) ;; *) wanted=$wanted,$one ;; esac; done ;;
  esac
  mount -t "$type" \${wanted:+-o "\${wanted#,}"} cgroup "$root$at"
done <"$here/groups"
for each in "$@"; do
  mkdir -p "$root$each"
  mount --bind "$each" "$root$each"
done
rm -rf "$root"/etc/systemd/system/*.wants "$root/etc/fstab"
mkdir -p "$root/etc/systemd/system"
for each in $LEFT_OUT; do ln -sf /dev/null "$root/etc/systemd/system/$each"; done
cp "$here/straceback-test.target" "$root/etc/systemd/system/"
# A root by chroot(2) alone would keep units from having users of their own (user_namespaces(7)).
cd "$root"
mkdir .before
pivot_root . .before
umount -l .before
rmdir .before
exec env -i container=other TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
  ${SYSTEMD} --system --unit=straceback-test.target --log-target=journal
`;

/** A host of its own where systemd is the first process: units, a journal, control groups; files and ports of loopback as on this machine. */
export interface SystemdHost {
  /** What becomes a process of that host: a program and its arguments are to follow. */
  readonly enter: readonly string[];
  /** Its root folder as this machine sees it. */
  readonly root: string;
  /** Runs a command there as root; gives what it wrote. Rejects when it ends with another status than 0. */
  readonly run: (...argv: readonly string[]) => Promise<string>;
  /** Writes a unit file there and starts it. */
  readonly start: (unit: string, text: string) => Promise<void>;
  /** A property of a unit (systemctl(1) show). */
  readonly property: (unit: string, property: string) => Promise<string>;
  /** The main process of a service: its number there. */
  readonly mainPid: (unit: string) => Promise<number>;
  /** The number that a process of that host has on this machine. */
  readonly outside: (pid: number) => Promise<number>;
  /** Ends all that runs there, and removes it. */
  readonly end: () => Promise<void>;
}

const gone = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
};

/** Starts such a host; resolves when systemd says that it is up. Folders of `same` are the same there as here. Rejects with what was said when it cannot be had. */
export const systemdHost = async (same: readonly string[] = []): Promise<SystemdHost> => {
  const name = `sb-systemd-${randomBytes(4).toString('hex')}`;
  const here = mkdtempSync(path.join(tmpdir(), 'straceback-systemd-'));
  for (const each of ['root', 'written']) mkdirSync(path.join(here, each));
  writeFileSync(path.join(here, 'straceback-test.target'), '[Unit]\nRequires=basic.target\nAfter=basic.target\n');
  let said = '';
  // Ends with this process, however that ends.
  const tied = ['--pdeathsig', 'KILL', 'sh', '-c', BOOT, 'sh', here, name];
  const boot = spawn('setpriv', [...tied, REPOSITORY, tmpdir(), ...same], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', INSIDE, LEFT_OUT: LEFT_OUT.join(' ') },
  });
  for (const stream of [boot.stdout, boot.stderr]) {
    stream.on('data', (bytes: Buffer) => {
      said = (said + bytes.toString()).slice(-20_000);
    });
  }
  const first = (): number | null => {
    try {
      const [pid] = readFileSync(`/proc/${boot.pid}/task/${boot.pid}/children`, 'utf8').split(' ').filter(Boolean);
      return pid === undefined ? null : Number(pid);
    } catch {
      return null;
    }
  };
  const end = async (): Promise<void> => {
    const pid = first();
    // The first process of the namespaces takes all others with it.
    if (pid !== null) process.kill(pid, 'SIGKILL');
    await gone(boot);
    const groups = ['/sys/fs/cgroup', '-depth', '-type', 'd', '-path', `*/${name}*`, '-exec', 'rmdir', '{}', ';'];
    await until('its groups are empty', async () => {
      await run('find', groups).catch(() => null);
      return execFileSync('find', ['/sys/fs/cgroup', '-maxdepth', '2', '-name', name], { encoding: 'utf8' }) === '';
    });
    rmSync(here, { recursive: true, force: true });
  };
  try {
    const pid = await until('systemd is the first process', () => {
      if (boot.exitCode !== null || boot.signalCode !== null)
        throw new Error(`systemd cannot be started here: ${said}`);
      const child = first();
      try {
        return child !== null && readFileSync(`/proc/${child}/comm`, 'utf8') === 'systemd\n' ? child : null;
      } catch {
        return null;
      }
    });
    const root = `/proc/${pid}/root`;
    const enter = [
      ...['nsenter', '--target', String(pid), '--mount', '--pid', '--cgroup', '--uts', '--ipc', '--root', '--wd', '--'],
      ...['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C.UTF-8'],
    ];
    const inside: SystemdHost['run'] = async (...argv) => {
      const [program = '', ...words] = [...enter, ...argv];
      return (await run(program, words, { maxBuffer: 16 * 1024 * 1024 })).stdout;
    };
    await until('systemd listens', () => existsSync(`${root}/run/systemd/private`), 60);
    // Not all of its units can be had everywhere; what matters is that it has gone through them.
    await inside('timeout', '60', 'systemctl', 'is-system-running', '--wait').catch(() => null);
    const property: SystemdHost['property'] = async (unit, wanted) =>
      (await inside('systemctl', 'show', '--value', '-p', wanted, unit)).trim();
    return {
      enter,
      root,
      run: inside,
      property,
      mainPid: async (unit) => Number(await property(unit, 'MainPID')),
      start: async (unit, text) => {
        writeFileSync(`${root}/etc/systemd/system/${unit}`, text);
        await inside('systemctl', 'daemon-reload');
        await inside('systemctl', 'start', unit);
      },
      outside: async (wanted) => {
        const status = await run('grep', [
          '-lsE',
          `^NSpid:.*\\s${wanted}$`,
          '-r',
          '--include=status',
          '/proc',
          '--exclude-dir=task',
        ]).catch((error: { stdout?: string }) => ({ stdout: error.stdout ?? '' }));
        const files = status.stdout.split('\n').filter((file) => /^\/proc\/\d+\/status$/.test(file));
        const space = execFileSync('readlink', [`/proc/${pid}/ns/pid`], { encoding: 'utf8' });
        const found = files
          .map((file) => Number(file.split('/')[2]))
          .find((each) => execFileSync('readlink', [`/proc/${each}/ns/pid`], { encoding: 'utf8' }) === space);
        if (found === undefined) throw new Error(`no process ${wanted} on the host of systemd`);
        return found;
      },
      end,
    };
  } catch (error) {
    await end();
    throw error;
  }
};

/** Why systemd cannot be the first process of namespaces here; null when it can. */
export const whyNoSystemd = async (): Promise<string | null> => {
  if (process.getuid?.() !== 0) return 'only root can make namespaces of these kinds';
  if (!existsSync(SYSTEMD)) return `${SYSTEMD} is not installed`;
  try {
    await (await systemdHost()).end();
    return null;
  } catch (error) {
    return String(error).split('\n')[0] ?? '';
  }
};
