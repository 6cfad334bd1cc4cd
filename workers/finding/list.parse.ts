import { keptOf } from './list.kept.ts';
import { escaped, type Pod, placeOf, programsOf } from './list.names.ts';

/** One process of a host as the lister told it. */
export interface HostProcess {
  readonly pid: number;
  readonly parent: number;
  readonly startTime: string;
  readonly state: string;
  readonly name: string;
  /** Arguments joined by spaces, written as `identify` writes them; `[name]` when there are none. */
  readonly command: string;
  /** Whether `command` is only the beginning. */
  readonly cut: boolean;
  /** File names of the program and of the script that it was given, for comparing with a name. */
  readonly programs: readonly string[];
  readonly ageSeconds: number;
  readonly cpuPercent: number;
  readonly rssKib: number;
  readonly fds: number | null;
  readonly user: string;
  /** Services, scopes and slices of its control group, outermost first. */
  readonly units: readonly string[];
  readonly container: string | null;
  /** What its runtime calls that container; null where it could not be read. */
  readonly containerName: string | null;
  readonly pod: Pod | null;
  /** Its process id as it is seen inside, where that is another pid namespace than the host's. */
  readonly pidInside: number | null;
  /** TCP ports, ascending. */
  readonly ports: readonly number[];
}

/** All processes of a host but kernel threads, zombies and the lister itself. */
export interface HostList {
  readonly processes: readonly HostProcess[];
  /** Ports that are listened on by processes that were not seen to, ascending. */
  readonly otherPorts: readonly number[];
  /** Processes above the lister: this program or the SSH server, whose command line may hold what is looked for. */
  readonly ours: ReadonlySet<number>;
  /** What could not be seen, one sentence each. */
  readonly partly: readonly string[];
}

const decoder = new TextDecoder('utf-8', { fatal: false });
/** Newlines travel as \1. */
const plain = (text: string): string => text.replaceAll('\u0001', '\n');

interface Draft {
  pid: number;
  parent: number;
  startTime: string;
  state: string;
  name: string;
  ticks: number;
  rssPages: number;
  later: number | null;
  uid: string | null;
  words: readonly string[];
  cut: boolean;
  cgroup: string;
  inside: number | null;
  fds: number | null;
  inodes: Set<string>;
}

const number = (text: string | undefined): number =>
  text !== undefined && /^-?\d{1,19}$/.test(text) ? Number(text) : 0;

/** The first `count` words of a line, and what follows them, spaces included. */
const fields = (line: string, count: number): string[] => {
  const words: string[] = [];
  let rest = line;
  while (words.length < count) {
    const space = rest.indexOf(' ');
    words.push(space < 0 ? rest : rest.slice(0, space));
    rest = space < 0 ? '' : rest.slice(space + 1);
  }
  return [...words, rest];
};

/** Processes that are above `pid`, and those below it. */
const relativesOf = (pid: number, drafts: ReadonlyMap<number, Draft>) => {
  const above = new Set<number>();
  for (let at = drafts.get(pid)?.parent; at !== undefined && at > 1 && !above.has(at); at = drafts.get(at)?.parent)
    above.add(at);
  const below = new Set([pid]);
  let size = 0;
  while (size !== below.size) {
    size = below.size;
    for (const draft of drafts.values()) if (below.has(draft.parent)) below.add(draft.pid);
  }
  return { above, below };
};

/** Reads what list.py or list.sh printed; null when it is neither's. Never throws. */
export const parseList = (stdout: Uint8Array, word: string): HostList | null => {
  const lines = decoder.decode(stdout).split('\n');
  if (lines[0] !== `list ${word}`) return null;
  const drafts = new Map<number, Draft>();
  const names = new Map<string, string>();
  const firsts = new Map<string, string>();
  const pods = new Map<string, Pod>();
  const ports = new Map<string, number>();
  const users = new Map<string, string>();
  const partly: string[] = [];
  let [uptime, hertz, pageKib, window, self, whole, guarded] = [0, 100, 4, 0, 0, false, false];
  for (const line of lines) {
    const space = line.indexOf(' ');
    const kind = space < 0 ? line : line.slice(0, space);
    const rest = space < 0 ? '' : line.slice(space + 1);
    const draft = drafts.get(number(rest.split(' ', 1)[0]));
    switch (kind) {
      case 'boot': {
        const [up, ticks, page] = rest.split(' ');
        [uptime, hertz, pageKib] = [Number(up) || 0, number(ticks) || 100, number(page) || 4];
        break;
      }
      case 'self':
        self = number(rest);
        break;
      case 'p': {
        const [pid, state = '?', parent, startTime = '', user, system, rss, name = ''] = fields(rest, 7);
        if (number(pid) < 1 || !/^\d+$/.test(startTime)) break;
        drafts.set(number(pid), {
          pid: number(pid),
          parent: number(parent),
          startTime,
          state,
          name: plain(name),
          ticks: number(user) + number(system),
          rssPages: number(rss),
          later: null,
          uid: null,
          words: [],
          cut: false,
          cgroup: '',
          inside: null,
          fds: null,
          inodes: new Set(),
        });
        break;
      }
      case 't': {
        const [, startTime, user, system] = rest.split(' ');
        if (draft?.startTime === startTime && draft !== undefined) draft.later = number(user) + number(system);
        break;
      }
      case 'u':
        if (draft !== undefined) draft.uid = rest.split(' ')[1] ?? null;
        break;
      case 'a': {
        const [, cut, text = ''] = fields(rest, 2);
        if (draft === undefined) break;
        draft.cut = cut === '1';
        draft.words = text === '' ? [] : plain(text).split('\u0002');
        break;
      }
      case 'c':
        if (draft !== undefined) draft.cgroup = plain(fields(rest, 1)[1] ?? '');
        break;
      case 'i':
        if (draft !== undefined) draft.inside = number(rest.split(' ')[1]) || null;
        break;
      case 'k': {
        const [id = '', name = ''] = rest.split(' ');
        if (!names.has(id)) names.set(id, name);
        break;
      }
      case 'o': {
        const [pid = '', startTime = '', id = ''] = rest.split(' ');
        if (id !== '') firsts.set(`${pid} ${startTime}`, id);
        break;
      }
      case 'g':
      case 'h': {
        const [id = '', namespace = '', name = '', container] = rest.split(' ');
        if (!pods.has(id)) pods.set(id, { namespace, name, container: container ?? null });
        break;
      }
      case 'd':
        if (draft !== undefined) draft.fds = number(rest.split(' ')[1]);
        break;
      case 'f':
        draft?.inodes.add(rest.split(' ')[1] ?? '');
        break;
      case 'l': {
        const [inode = '', port] = rest.split(' ');
        if (number(port) > 0) ports.set(inode, number(port));
        break;
      }
      case 'n': {
        const [uid = '', name = ''] = fields(rest, 1);
        if (!users.has(uid)) users.set(uid, name);
        break;
      }
      case 'window':
        window = Number(rest) || 0;
        break;
      case 'guarded':
        guarded = true;
        break;
      case 'gap':
        partly.push(rest);
        break;
      case 'end':
        whole = rest === word;
        break;
    }
  }
  if (drafts.size === 0) return null;
  if (!whole) partly.push('the list of processes breaks off');
  if (!drafts.has(1)) partly.push('other users’ processes are hidden (hidepid of /proc): look as root');
  if (guarded) partly.push('not root: ports and descriptors of other users’ processes are not known');
  const { above, below } = relativesOf(self, drafts);
  const told = [...drafts.values()].filter(({ pid, state }) => !below.has(pid) && state !== 'Z' && state !== 'X');
  const kept = keptOf(drafts, firsts);
  const where = ({ pid, cgroup }: Draft) => {
    const { podUid, units, container: grouped } = placeOf(cgroup);
    const keeper = kept.get(pid);
    const container = grouped ?? keeper?.container ?? null;
    const pod = pods.get(container ?? '') ?? pods.get(podUid ?? '') ?? null;
    const called = keeper?.container === container ? keeper?.name : null;
    return { units, container, containerName: names.get(container ?? '') ?? called ?? null, pod };
  };
  const owned = new Set([...drafts.values()].flatMap(({ inodes }) => [...inodes]));
  const sorted = (numbers: Iterable<number>) => [...new Set(numbers)].sort((a, b) => a - b);
  return {
    processes: told.map((draft): HostProcess => {
      const text = draft.words.join(' ');
      return {
        pid: draft.pid,
        parent: draft.parent,
        startTime: draft.startTime,
        state: draft.state,
        name: draft.name,
        command: text.trim() === '' ? `[${escaped(draft.name)}]` : escaped(text),
        cut: draft.cut,
        programs: programsOf(draft.words),
        ageSeconds: Math.max(0, uptime - Number(draft.startTime) / hertz),
        cpuPercent:
          draft.later === null || window <= 0
            ? 0
            : Math.round((1000 * Math.max(0, draft.later - draft.ticks)) / hertz / window) / 10,
        rssKib: Math.max(0, draft.rssPages) * pageKib,
        fds: draft.fds,
        user: draft.uid === null ? '?' : (users.get(draft.uid) ?? draft.uid),
        ...where(draft),
        pidInside: draft.inside,
        ports: sorted([...draft.inodes].flatMap((inode) => ports.get(inode) ?? [])),
      };
    }),
    otherPorts: sorted([...ports].flatMap(([inode, port]) => (owned.has(inode) ? [] : [port]))),
    ours: above,
    partly,
  };
};
