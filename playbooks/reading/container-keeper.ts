/** What the process that a runtime leaves beside a container says of it. */
export interface Kept {
  /** The container's id; with containerd's own tools a name. */
  readonly container: string;
  /** What people call it; null where the keeper was not told. */
  readonly name: string | null;
}

/** Ids and names as docker, podman, containerd and runc allow them. */
const WORD = /^[A-Za-z0-9][A-Za-z0-9_.+-]{0,252}$/;

/** A container's id as docker and podman shorten it; a name stays whole. */
export const shortId = (id: string): string => (/^[0-9a-f]{64}$/.test(id) ? id.slice(0, 12) : id);

const after = (words: readonly string[], ...options: readonly string[]): string | null => {
  for (const option of options) {
    const at = words.indexOf(option);
    const value = at < 0 ? undefined : words[at + 1];
    if (value !== undefined && WORD.test(value)) return value;
  }
  return null;
};

/**
 * What a process keeps, by its command line: conmon(8) of podman and CRI-O, or the shim of containerd and docker
 * (core/runtime/v2/shim of containerd); null for any other. Both are the parents of the first process of their container, and of each that is started in it
 * later. A control group tells the same but where there is none of its own: podman without root on cgroups(7) 1, `--cgroups=disabled`.
 */
export const keptBy = (words: readonly string[]): Kept | null => {
  const [program = '', ...rest] = words;
  const name = program.split('/').at(-1) ?? '';
  if (name === 'conmon') {
    const container = after(rest, '-c', '--cid');
    return container === null ? null : { container, name: after(rest, '-n', '--name') };
  }
  if (!/^containerd-shim(?:-[a-z0-9-]+)?$/.test(name)) return null;
  const container = after(rest, '-id', '--id');
  return container === null ? null : { container, name: null };
};
