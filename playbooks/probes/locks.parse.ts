import type { Parsed } from '../model/index.ts';
import type { FileLock, LockFile, LocksData } from './locks.ts';

const QUOTED = '"((?:[^"\\\\]|\\\\.)*)"';
const LOCK = new RegExp(
  '^lock: (FLOCK|POSIX|OFDLCK|LEASE) (READ|WRITE) (held|wanted) by (-?\\d{1,9}), on (\\S+) bytes \\S+ to \\S+, ' +
    `target fds (none|\\d{1,9}(?: \\d{1,9})*), state (\\S), (?:${QUOTED}|\\?), file (?:${QUOTED}|\\?), command (.*)$`,
);
const SHARED = new RegExp(`^shared: ${QUOTED} is open in (.*)$`);

const LOCK_FILE = new RegExp(
  `^lockfile: ${QUOTED} (?:names nobody, (near|far)|(names|is open in) (\\d{1,9}), (near|far), state (\\S), (?:${QUOTED}|\\?), command (.*))$`,
);

/** The script writes names of files between quotes; inside them a quote is `\"`. */
const unquoted = (text: string): string => text.replace(/\\"/g, '"');

const lockOf = (text: string, at: number): FileLock | null => {
  const match = LOCK.exec(text);
  if (match === null) return null;
  const [, kind, mode, verb, pid, inode = '', fds = 'none', state = '?', comm, path, command = '?'] = match;
  const known = state !== '?';
  return {
    kind: kind as FileLock['kind'],
    mode: mode as FileLock['mode'],
    waiting: verb === 'wanted',
    pid: Number(pid),
    comm: comm === undefined ? null : unquoted(comm),
    command: known ? command : null,
    state: known ? state : null,
    inode,
    path: path === undefined ? null : unquoted(path),
    targetFds:
      fds === 'none'
        ? []
        : fds
            .split(' ')
            .map(Number)
            .sort((one, other) => one - other),
    at,
  };
};

const sharedOf = (text: string, at: number): LocksData['sharedFiles'][number] | null => {
  const match = SHARED.exec(text);
  if (match === null) return null;
  const pids = [...(match[2] ?? '').matchAll(new RegExp(`(?:^|, )(\\d{1,9}) (?:${QUOTED}|\\?)`, 'g'))];
  return {
    path: unquoted(match[1] ?? ''),
    pids: pids.map(([, pid, comm]) => ({ pid: Number(pid), comm: unquoted(comm ?? '?') })),
    at,
  };
};

const lockFileOf = (text: string, at: number): LockFile | null => {
  const match = LOCK_FILE.exec(text);
  if (match === null) return null;
  const [, path = '', alone, how, pid, where, state = '?', comm, command = '?'] = match;
  const lives = state !== '?';
  return {
    path: unquoted(path),
    pid: pid === undefined ? null : Number(pid),
    how: how === 'is open in' ? 'open' : 'names',
    near: (alone ?? where) === 'near',
    comm: comm === undefined ? null : unquoted(comm),
    command: lives ? command : null,
    state: lives ? state : null,
    at,
  };
};

/** Reads what locks.py or locks.sh prints. Never throws; what is missing is said in `partly`. */
export const parseLocks = (text: string, pid: number): Parsed<LocksData> => {
  const lines = text.split('\n');
  if (lines[0] !== 'locks 1') return { ok: false, reason: 'not-parsable', why: 'the list of locks does not begin' };
  const locks: FileLock[] = [];
  const sharedFiles: LocksData['sharedFiles'] = [];
  const lockFiles: LockFile[] = [];
  const partly: string[] = [];
  for (const [index, line] of lines.entries()) {
    const gone = /^gone: (.*)$/.exec(line)?.[1];
    if (gone !== undefined) return { ok: false, reason: 'target-gone', why: gone || `there is no process ${pid}` };
    const lock = lockOf(line, index + 1);
    if (lock !== null) locks.push(lock);
    const shared = sharedOf(line, index + 1);
    if (shared !== null) sharedFiles.push(shared);
    const lockFile = lockFileOf(line, index + 1);
    if (lockFile !== null) lockFiles.push(lockFile);
    if (line.startsWith('not readable: ')) partly.push(line);
  }
  if (partly.some((gap) => gap.endsWith(`open files of process ${pid}`)) && locks.length === 0)
    return {
      ok: false,
      reason: 'no-permission',
      why: `the open files of process ${pid} are shown only to root and its owner, and it holds no lock by its own pid`,
    };
  if (!lines.includes('end')) partly.push('the list of locks breaks off');
  return { ok: true, data: { locks, sharedFiles, ...(lockFiles.length === 0 ? {} : { lockFiles }) }, partly };
};
