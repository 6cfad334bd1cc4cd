import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Releases whose Pythons are read in tests, oldest first, and the packages that bring them and greenlet. */
const RELEASES: Readonly<Record<string, readonly string[]>> = {
  bullseye: ['python3', 'python3-greenlet', 'python2.7'],
  trixie: ['python3', 'python3-greenlet'],
  testing: ['python3', 'python3-greenlet'],
};
const MAKE_SECONDS = 300;
/** How long one failure to fetch a release counts: else each test file would wait for a mirror that does not answer. */
const FAILED_MS = 3_600_000;
const TARGETS = path.resolve(import.meta.dirname, '../playbooks/probes');
/** Checkouts share the roots, and each has programs of its own that enter them. */
const CHECKOUT = createHash('sha256').update(TARGETS).digest('hex').slice(0, 8);
const CACHE = path.join(process.env.XDG_CACHE_HOME ?? '/var/cache', 'straceback-tests');

/** A Python in a Debian root: `python` is a program that runs it there, under its own pid. */
export interface DebianPython {
  readonly version: string;
  readonly python: string;
  readonly root: string;
}

/** Where this machine gets its own packages from, for releases are fetched from there too; null when it does not say. */
const mirror = (): string | null => {
  const folder = '/etc/apt/sources.list.d';
  const files = [
    '/etc/apt/sources.list',
    ...(existsSync(folder) ? readdirSync(folder).map((name) => `${folder}/${name}`) : []),
  ];
  const text = files
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  const found = text.matchAll(/^(?:deb\s+(?:\[[^\]]*\]\s+)?|URIs:\s*)(https?:\/\/\S+)/gm);
  return [...found].map(([, uri = '']) => uri).find((uri) => !/security/.test(uri)) ?? null;
};

const has = (tool: string): boolean => spawnSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' }).status === 0;

/** Why there are no such roots on this machine, or null. */
const missing = (): string | null => {
  if (process.getuid?.() !== 0) return 'it takes root to make them';
  for (const tool of ['debootstrap', 'flock', 'unshare']) if (!has(tool)) return `${tool} is not installed`;
  if (mirror() === null) return 'no Debian mirror is configured';
  return spawnSync('unshare', ['-m', 'true'], { stdio: 'ignore' }).status === 0
    ? null
    : 'mount namespaces are forbidden';
};

/** Made beside its place and moved there when whole; the lock is let go by the kernel, however this ends. */
const MAKE = `
set -e
root=$1 include=$2 release=$3 mirror=$4
[ -e "$root" ] && exit 0
[ -n "$(find "$root.failed" -mmin -60 2>/dev/null)" ] && exit 1
rm -rf "$root.part"
debootstrap --variant=minbase --include="$include" "$release" "$root.part" "$mirror" > "$root.log" 2>&1
rm -rf "$root.part/var/cache/apt/archives" "$root.part/var/lib/apt/lists"
mv "$root.part" "$root"
`;

const make = async (release: string, packages: readonly string[]): Promise<string | null> => {
  const root = path.join(CACHE, release);
  if (existsSync(root)) return root;
  const failed = `${root}.failed`;
  if (existsSync(failed) && Date.now() - statSync(failed).mtimeMs < FAILED_MS) return null;
  mkdirSync(CACHE, { recursive: true });
  const script = ['sh', '-c', MAKE, 'sh', root, packages.join(','), release, mirror() ?? ''];
  const child = spawn('flock', [`${CACHE}/lock`, 'timeout', '-k', '10', String(MAKE_SECONDS), ...script], {
    stdio: 'ignore',
  });
  await once(child, 'exit');
  if (existsSync(root)) return root;
  writeFileSync(failed, '');
  return null;
};

/**
 * Enters a root in a mount namespace of its own. The programs of the tests and /tmp are seen there under the same names as
 * outside.
 */
const ENTER = `
root=$1 targets=$2; shift 2
mkdir -p "$root$targets"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind /tmp "$root/tmp"
mount --bind "$targets" "$root$targets"
exec chroot "$root" "$@"
`;

/** Arguments of unshare(1) that run a program of a root there, as in a container. */
export const inRoot = (root: string, ownPids: boolean): string[] => [
  ...['--mount', ...(ownPids ? ['--pid', '--fork', '--kill-child'] : [])],
  ...['sh', '-c', ENTER, 'sh', root, TARGETS],
];

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

const pythonsIn = (root: string): DebianPython[] =>
  readdirSync(path.join(root, 'usr/bin'))
    .map((name) => /^python(\d\.\d+)$/.exec(name)?.[1])
    .filter((version) => version !== undefined)
    .map((version) => {
      const python = path.join(CACHE, 'versions', version, `${path.basename(root)}-${CHECKOUT}`);
      mkdirSync(path.dirname(python), { recursive: true });
      const words = ['unshare', ...inRoot(root, false), `/usr/bin/python${version}`];
      const text = `#!/bin/sh\nexec ${words.map(quote).join(' ')} "$@"\n`;
      // Another test may be running it at this moment.
      if (!existsSync(python) || readFileSync(python, 'utf8') !== text) writeFileSync(python, text, { mode: 0o755 });
      return { version, python, root };
    });

/**
 * The Pythons of older and newer Debian releases, each in a root of its own that is made once and kept in the cache folder
 * (XDG_CACHE_HOME, else /var/cache). Those that cannot be made are left out; `why` says so for a person.
 */
export const debianPythons = async (): Promise<{ pythons: DebianPython[]; why: string | null }> => {
  const why = missing();
  if (why !== null) return { pythons: [], why: `Debian's older and newer Pythons are not tested: ${why}.` };
  const pythons: DebianPython[] = [];
  const failed: string[] = [];
  for (const [release, packages] of Object.entries(RELEASES)) {
    const root = await make(release, packages);
    if (root === null) failed.push(release);
    else pythons.push(...pythonsIn(root));
  }
  return {
    pythons,
    why: failed.length === 0 ? null : `These Debian releases could not be fetched: ${failed.join(', ')}.`,
  };
};
