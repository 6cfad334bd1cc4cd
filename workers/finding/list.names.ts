// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f]/g;

const bytesOf = (character: string): string =>
  [...new TextEncoder().encode(character)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');

/** Text as identify.sh writes it, so that a command line can be compared with a report's. */
export const escaped = (text: string): string =>
  text.replaceAll('\\', '\\\\').replace(HIDDEN, (character) => (character === '\n' ? '\\n' : bytesOf(character)));

const UNIT = /^[^/]+\.(?:service|scope|slice)$/;
/** Ids of docker, containerd, CRI-O and podman, whose conmon has a group of its own and is not inside; then names of LXC and of systemd-nspawn. */
const CONTAINERS = [
  /(?<!conmon-)([0-9a-f]{64})/,
  /\/lxc\.payload\.([^/]+)/,
  /\/lxc\/([^/]+)/,
  /\/machine-([^/]+)\.scope/,
];

/** Services, scopes and slices of a control group's path, outermost first. */
export const unitsOf = (path: string): string[] => path.split('/').filter((segment) => UNIT.test(segment));

/** The innermost container that a control group's path names; null for none. */
export const containerOf = (path: string): string | null => {
  for (const pattern of CONTAINERS) {
    const id = [...path.matchAll(new RegExp(pattern, 'g'))].at(-1)?.[1];
    if (id !== undefined) return id;
  }
  return null;
};

/** A pod of Kubernetes; `container` is null for its sandbox, and where it could not be read. */
export interface Pod {
  readonly namespace: string;
  readonly name: string;
  readonly container: string | null;
}

/** The uid of the pod that a control group's path names, written as the API writes it (kubelet, both cgroup drivers); null for none. */
export const podUidOf = (path: string): string | null =>
  /pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})/.exec(path)?.[1]?.replaceAll('_', '-') ?? null;

/** Where a process belongs, by /proc/PID/cgroup (cgroups(7)): systemd's hierarchy, else the deepest path; `own` is that path, `` for none. */
export const placeOf = (
  text: string,
): { own: string; units: string[]; container: string | null; podUid: string | null } => {
  const rows = text.split('\n').map((row) => {
    const [, controllers = '', ...path] = row.split(':');
    return { controllers, path: path.join(':') };
  });
  const named = rows.filter(({ controllers }) => controllers === '' || controllers === 'name=systemd');
  const paths = named.map(({ path }) => path).sort((a, b) => b.length - a.length);
  const containers = rows.flatMap(({ path }) => containerOf(path) ?? []);
  const [deepest = ''] = paths;
  return { own: deepest, units: unitsOf(deepest), container: containers[0] ?? null, podUid: podUidOf(text) };
};

const baseName = (path: string): string => path.split('/').at(-1) ?? '';

/** Options of interpreters that take the next word (python(1)). */
const WITH_VALUE = new Set(['-X', '-W', '--check-hash-based-pycs']);

/** The script or module that an interpreter was given: the first word that is no option. None after `-c`. */
const scriptOf = (words: readonly string[]): string => {
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (/^-[A-Za-z]*c$/.test(word)) return '';
    if (WITH_VALUE.has(word)) at += 1;
    else if (!word.startsWith('-')) return /\s/.test(word) ? '' : baseName(word);
  }
  return '';
};

/** The program's file name, and the script's or module's of an interpreter. */
export const programsOf = (words: readonly string[]): string[] => {
  const [program = '', ...rest] = words;
  // A server that sets its title writes it as one word: `gunicorn: master [app]`.
  const first = baseName(program.split(' ')[0] ?? '').replace(/:$/, '');
  const script = scriptOf(rest);
  return [first, script, script.replace(/\.(?:py|pyz|js|rb|pl|jar)$/, '')].filter((name) => name !== '');
};
