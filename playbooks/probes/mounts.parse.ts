import type { Parsed } from '../model/index.ts';
import type { Mount, MountsData, StoredFile } from './mounts.ts';

const QUOTED = '"((?:[^"\\\\]|\\\\.)*)"';
const MOUNT = new RegExp(
  `^mount: ${QUOTED} (\\S{1,40}) on (\\d{1,9}:\\d{1,9}) from ${QUOTED}, (.{1,200}?), writes (\\d{1,9}) files, reads (\\d{1,9}) files, cwd (yes|no), options (.*)$`,
);
const SPACE =
  /^free (\d{1,18}) of (\d{1,18}) bytes, available (\d{1,18}) bytes, inodes (\d{1,18}) of (\d{1,18})\d* free$/;
const FILE = new RegExp(
  `^file: descriptor (\\d{1,9}) (writes|reads), size (?:(\\d{1,18}) bytes, stored (\\d{1,18}) bytes|unknown), on ${QUOTED}, (.*)$`,
);
const WAITING = new RegExp(`^waiting: (\\d{1,9}) ${QUOTED} in (\\S{1,80}), command (.*)$`);

/** The script writes names between quotes; inside them a quote is `\"`. */
const unquoted = (text: string | undefined): string => (text ?? '').replace(/\\"/g, '"');

const mountOf = (line: string, at: number): Mount | null => {
  const match = MOUNT.exec(line);
  if (match === null) return null;
  const [, point, kind = '', device = '', source, said = '', writes, reads, cwd, options = ''] = match;
  const space = SPACE.exec(said);
  const [free = 0, bytes = 0, available = 0, inodesFree = 0, inodes = 0] = (space ?? []).slice(1).map(Number);
  return {
    point: unquoted(point),
    kind,
    device,
    source: unquoted(source),
    answer: space !== null ? 'space' : said.startsWith('no answer') ? 'silent' : 'unknown',
    space: space === null ? null : { bytes, free, available, inodes, inodesFree },
    writes: Number(writes),
    reads: Number(reads),
    cwd: cwd === 'yes',
    readOnly: options.split(/[,;]/).includes('ro'),
    options,
    at,
  };
};

const fileOf = (line: string, at: number): StoredFile | null => {
  const match = FILE.exec(line);
  if (match === null) return null;
  const [, fd, way, size, stored, point, path = ''] = match;
  return {
    fd: Number(fd),
    writes: way === 'writes',
    size: size === undefined ? null : Number(size),
    stored: stored === undefined ? null : Number(stored),
    mount: unquoted(point),
    path: path.replace(/ \(deleted\)$/, ''),
    deleted: path.endsWith(' (deleted)'),
    at,
  };
};

/** Reads what mounts.py prints. Never throws; what is missing is said in `partly`. */
export const parseMounts = (text: string, pid: number): Parsed<MountsData> => {
  const lines = text.split('\n');
  if (lines[0] !== 'mounts 1')
    return { ok: false, reason: 'not-parsable', why: 'the list of file systems does not begin' };
  const data: MountsData = { mounts: [], files: [], waiting: [] };
  const partly: string[] = [];
  for (const [index, line] of lines.entries()) {
    const at = index + 1;
    const gone = /^gone: (.*)$/.exec(line)?.[1];
    if (gone !== undefined) return { ok: false, reason: 'target-gone', why: gone || `there is no process ${pid}` };
    if (line.startsWith('not readable: ')) partly.push(line);
    const mount = mountOf(line, at);
    if (mount !== null) data.mounts.push(mount);
    const file = fileOf(line, at);
    if (file !== null) data.files.push(file);
    const [, other, comm, wchan = '?', command = ''] = WAITING.exec(line) ?? [];
    if (other !== undefined) data.waiting.push({ pid: Number(other), comm: unquoted(comm), wchan, command, at });
  }
  if (!lines.includes('end')) partly.push('the list of file systems breaks off');
  return { ok: true, data, partly };
};
