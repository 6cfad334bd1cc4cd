import type { Parsed } from '../model/index.ts';
import type { ChildrenData, RelativeProcess, RelativeThread } from './children.ts';

const QUOTED = '"((?:[^"\\\\]|\\\\.)*)"';
const PERSON = new RegExp(
  '^process (\\d{1,9}): (target|parent|sibling|descendant), parent (\\d{1,9}), depth (\\d{1,6}), state (\\S) then (\\S), ' +
    `(\\d{1,12}\\.\\d\\d) s old, (\\d{1,9}) threads, (forked|executed|\\?), ${QUOTED}, (.*)$`,
);
const SIGNALS =
  /^signals: caught ([0-9a-f]{1,32}|\?), ignored ([0-9a-f]{1,32}|\?), blocked ([0-9a-f]{1,32}|\?), pid in its namespace (\d{1,9}|\?)$/;
const MOVED = /^moved: read (-?\d{1,15}) bytes, wrote (-?\d{1,15}) bytes, (-?\d{1,15}) reads, (-?\d{1,15}) writes$/;
const THREAD =
  /^thread (\d{1,9}): state (\S), woke (\d{1,9}|\?) times, (as before|not before) in (no system call|an unreadable system call|(\w+)\(([0-9a-fx, ]*)\)(?: on (\S+))?), waits in (.*)$/;
const ZOMBIE = new RegExp(
  `^zombie (\\d{1,9}): started (\\d{1,12}\\.\\d\\d) s ago, ended with (signal \\d{1,3}|status \\d{1,3}|\\?), (both times|new), ${QUOTED}$`,
);

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };
type Person = Mutable<RelativeProcess>;

/** The script writes names between quotes, in which a quote is `\"`. */
const unquoted = (text: string): string => text.replace(/\\"/g, '"');
const numberOr = (text: string | undefined): number | null => (/^\d{1,15}$/.test(text ?? '') ? Number(text) : null);

const personOf = (text: string, at: number): Person | null => {
  const match = PERSON.exec(text);
  if (match === null) return null;
  const [, pid, relation, parent, depth, first = '-', last = '?', age, threads, origin, comm = '', command = ''] =
    match;
  return {
    pid: Number(pid),
    relation: relation as Person['relation'],
    parent: Number(parent),
    depth: Number(depth),
    comm: unquoted(comm),
    command,
    states: [first, last],
    ageSeconds: Number(age),
    threadCount: Number(threads),
    origin: origin === '?' ? null : (origin as 'forked' | 'executed'),
    signals: null,
    namespacePid: null,
    moved: null,
    cpuSeconds: null,
    threads: [],
    pipes: [],
    sockets: [],
    pidfds: [],
    at,
  };
};

const threadOf = (text: string, at: number): RelativeThread | null => {
  const match = THREAD.exec(text);
  if (match === null) return null;
  const [, tid, state = '?', woke, same, doing, name, args = '', fd, wchan = ''] = match;
  return {
    tid: Number(tid),
    state,
    woke: numberOr(woke),
    same: same === 'as before',
    syscall: name ?? (doing === 'no system call' ? 'running' : '?'),
    args: args.split(', ').filter((word) => word !== ''),
    fd: fd === undefined || fd === '?' ? null : fd.replaceAll('\\x20', ' '),
    wchan,
    at,
  };
};

const EPOLL = /^epoll (\d{1,9}): watches (\d{1,9}) descriptors(?:,((?: \d{1,9} \S+){1,64}))?$/;

const epollOf = (text: string, at: number): NonNullable<RelativeProcess['epolls']>[number] | null => {
  const match = EPOLL.exec(text);
  if (match === null) return null;
  const words = (match[3] ?? '').split(' ').filter((word) => word !== '');
  const shown = words.flatMap((word, index) =>
    index % 2 === 0 ? [{ fd: Number(word), target: (words[index + 1] ?? '?').replaceAll('\\x20', ' ') }] : [],
  );
  return { fd: Number(match[1]), watches: Number(match[2]), shown, at };
};

/** Adds what one more line says of a process; false when it says nothing that is known. */
const addTo = (person: Person, text: string, at: number): boolean => {
  const thread = threadOf(text, at);
  if (thread !== null) {
    person.threads.push(thread);
    return true;
  }
  const pipe = /^pipe (\d{1,20}): fd (\d{1,9}) (read|write|both|\?)$/.exec(text);
  if (pipe !== null) {
    const end = pipe[3] as RelativeProcess['pipes'][number]['end'];
    person.pipes.push({ inode: pipe[1] ?? '', fd: Number(pipe[2]), end, at });
    return true;
  }
  const socket = /^socket (\d{1,20}): fd (\d{1,9})$/.exec(text);
  if (socket !== null) {
    person.sockets.push({ inode: socket[1] ?? '', fd: Number(socket[2]) });
    return true;
  }
  const pidfd = /^pidfd (\d{1,9}): fd \d{1,9}$/.exec(text);
  if (pidfd !== null) {
    person.pidfds.push(Number(pidfd[1]));
    return true;
  }
  const epoll = epollOf(text, at);
  if (epoll !== null) {
    person.epolls = [...(person.epolls ?? []), epoll];
    return true;
  }
  const moved = MOVED.exec(text);
  if (moved !== null) {
    const [read = 0, wrote = 0, reads = 0, writes = 0] = moved.slice(1).map(Number);
    person.moved = { read, wrote, reads, writes };
    return true;
  }
  const used = /^used: (-?\d{1,12}\.\d\d) s of CPU$/.exec(text);
  if (used !== null) {
    person.cpuSeconds = Math.max(0, Number(used[1]));
    return true;
  }
  const signals = SIGNALS.exec(text);
  if (signals === null) return false;
  const [, caught = '?', ignored = '?', blocked = '?', inside] = signals;
  if (caught !== '?') person.signals = { caught, ignored, blocked, at };
  person.namespacePid = numberOr(inside);
  return true;
};

const peopleOf = (lines: readonly string[]): Person[] => {
  const people = new Map<number, Person>();
  for (const [index, line] of lines.entries()) {
    const person = personOf(line, index + 1);
    if (person !== null) {
      if (!people.has(person.pid)) people.set(person.pid, person);
      continue;
    }
    const more = /^process (\d{1,9}) /.exec(line);
    const known = more === null ? undefined : people.get(Number(more[1]));
    if (more !== null && known !== undefined) addTo(known, line.slice(more[0].length), index + 1);
  }
  return [...people.values()];
};

const zombiesOf = (lines: readonly string[]): ChildrenData['zombies'] => {
  const header = lines.findIndex((line) => /^zombies: \d/.test(line));
  const counts = /^zombies: (\d{1,9}) at first, (\d{1,9}) at last, (\d{1,9}) both times$/.exec(lines[header] ?? '');
  const [first = 0, last = 0, stayed = 0] = (counts ?? []).slice(1).map(Number);
  const shown = lines.flatMap((line, index) => {
    const match = ZOMBIE.exec(line);
    if (match === null) return [];
    const [, pid, age, ending, which, comm = ''] = match;
    return [
      {
        pid: Number(pid),
        comm: unquoted(comm),
        ageSeconds: Number(age),
        ending: ending === '?' ? null : (ending ?? null),
        stayed: which === 'both times',
        at: index + 1,
      },
    ];
  });
  return { first, last, stayed, shown, at: Math.max(1, header + 1) };
};

const HOLDER =
  /^pipe (\d{1,20}) is held by process (\d{1,9}): parent (\d{1,9}), state (\S), (\d{1,12}\.\d\d) s old, "((?:[^"\\]|\\.)*)", (.*)$/;

const holdersOf = (lines: readonly string[]): ChildrenData['holders'] =>
  lines.flatMap((line, index) => {
    const match = HOLDER.exec(line);
    if (match === null) return [];
    const [, inode = '', pid, parent, state = '', age, comm = '', command = ''] = match;
    return [
      {
        inode,
        pid: Number(pid),
        parent: Number(parent),
        state,
        ageSeconds: Number(age),
        comm: unquoted(comm),
        command,
        at: index + 1,
      },
    ];
  });

const THREADS =
  /^threads: (\d{1,9}) at first, (\d{1,9}) at last, (\d{1,9}) new, (\d{1,9}) gone, ages((?: \d{1,12}\.\d)*)$/;
const LIMITS =
  /^limits: processes (\d{1,15}|\S{1,20}), tasks (\d{1,15}|\S{1,20}) of (\d{1,15}|\S{1,20}) in the control group, stack (\d{1,15}|\S{1,20}) bytes$/;

const tasksOf = (lines: readonly string[]): ChildrenData['threads'] => {
  const index = lines.findIndex((line) => THREADS.test(line));
  const match = THREADS.exec(lines[index] ?? '');
  const [first = 0, last = 0, started = 0, ended = 0] = (match ?? []).slice(1, 5).map(Number);
  const ages = (match?.[5] ?? '').split(' ').filter(Boolean).map(Number);
  return { first, last, started, ended, ages, at: Math.max(1, index + 1) };
};

const limitsOf = (lines: readonly string[]): ChildrenData['limits'] => {
  const index = lines.findIndex((line) => LIMITS.test(line));
  const match = LIMITS.exec(lines[index] ?? '');
  if (match === null) return null;
  const [processes = null, tasksUsed = null, tasksMost = null, stackBytes = null] = match.slice(1).map(numberOr);
  return { processes, tasksUsed, tasksMost, stackBytes, at: index + 1 };
};

/** Reads what children.py prints. Never throws; what is missing is said in `partly`. */
export const parseChildren = (text: string, pid: number): Parsed<ChildrenData> => {
  const lines = text.split('\n');
  if (lines[0] !== 'children 1')
    return { ok: false, reason: 'not-parsable', why: 'the list of relatives does not begin' };
  const gone = lines.map((line) => /^gone: (.*)$/.exec(line)?.[1]).find((why) => why !== undefined);
  if (gone !== undefined) return { ok: false, reason: 'target-gone', why: gone || `there is no process ${pid}` };
  const window = /^window: (\d{1,6}\.\d\d) s$/.exec(lines[1] ?? '');
  const processes = peopleOf(lines);
  if (window === null || !processes.some((each) => each.relation === 'target'))
    return { ok: false, reason: 'not-parsable', why: 'the list of relatives does not have the process itself' };
  const partly = lines.filter((line) => line.startsWith('not readable: '));
  if (!lines.includes('end')) partly.push('the list of relatives breaks off');
  const data: ChildrenData = {
    seconds: Number(window[1]),
    processes,
    zombies: zombiesOf(lines),
    holders: holdersOf(lines),
    threads: tasksOf(lines),
    limits: limitsOf(lines),
  };
  return { ok: true, data, partly };
};
