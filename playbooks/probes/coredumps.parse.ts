import type { Parsed } from '../model/index.ts';
import { unquote } from '../reading/quoted-names.ts';
import type { CoredumpsData, CoreFile, MappedFile } from './coredumps.ts';

const NAME = String.raw`("(?:[^"\\]|\\.)*")`;
const CORE = new RegExp(
  `^core ${NAME}: (\\d{1,18}) bytes, written (\\d{1,12}\\.\\d{3}), signal (\\d{1,3}|\\?), code (-?\\d{1,10}|\\?), ` +
    `address (0x[0-9a-f]{1,16}|\\?), sender (-?\\d{1,10}|\\?), process (-?\\d{1,10}|\\?), parent (-?\\d{1,10}|\\?), ` +
    `threads (\\d{1,9}), (child|sibling|group|predecessor|itself), name ${NAME}, command ${NAME}$`,
);
const FILE = `${NAME}(?:\\+(0x[0-9a-f]{1,16}))? build id ([0-9a-f]+|\\?), on disk ([0-9a-f]+|\\?)$`;
const EXECUTABLE = new RegExp(`^ {2}executable ${FILE}`);
const CRASHED = new RegExp(`^ {2}crashed in ${FILE}`);
const EXTENSION = new RegExp(`^ {2}extension ${NAME}$`);
const PATTERN = new RegExp(`^pattern: ${NAME}$`);
const LIMIT = /^limit: (target|parent|sibling|child) (\d{1,10}) soft (\d{1,20}|unlimited) hard (\d{1,20}|unlimited)$/;
const CODE = new RegExp(`^code: ${NAME} at ([0-9a-f]{1,16})-[0-9a-f]{1,16}$`);
const SEARCHED = new RegExp(`^searched: ${NAME}, \\d+ entries, (.{1,200})$`);
const UNREAD = new RegExp(`^not read: core ${NAME}, \\d+ bytes, written (\\d{1,12}\\.\\d{3}): (.{1,300})$`);

const numberOf = (text: string | undefined): number | null =>
  text === undefined || text === '?' ? null : Number(text);
const wordOf = (text: string | undefined): string | null => (text === undefined || text === '?' ? null : text);
const limitOf = (text: string | undefined): number | null => (text === 'unlimited' ? null : Number(text));

const mappedFile = (match: RegExpExecArray, at: number): MappedFile => ({
  path: unquote(match[1] ?? ''),
  buildId: wordOf(match[3]),
  onDisk: wordOf(match[4]),
  at,
});

/** A core's first line as coredumps.py and core_stacks.py write it, or null; the lines below it are read by `readCoreDetail`. */
export const readCore = (line: string, at: number): CoreFile | null => {
  const match = CORE.exec(line);
  if (match === null) return null;
  const [, path = '', bytes, written, signal, code, address, sender, pid, parent, threads, relation, name, command] =
    match;
  return {
    path: unquote(path),
    bytes: Number(bytes),
    written: Number(written),
    signal: numberOf(signal),
    code: numberOf(code),
    address: wordOf(address),
    sender: numberOf(sender),
    pid: numberOf(pid),
    parent: numberOf(parent),
    threads: Number(threads),
    relation: relation as CoreFile['relation'],
    name: unquote(name ?? ''),
    command: unquote(command ?? ''),
    executable: null,
    crashedIn: null,
    extensions: [],
    at,
  };
};

/** Adds what a line below a core's first line says; false when it is no such line. */
export const readCoreDetail = (core: CoreFile, line: string, at: number): boolean => {
  const executable = EXECUTABLE.exec(line);
  if (executable !== null) {
    core.executable = mappedFile(executable, at);
    return true;
  }
  const crashed = CRASHED.exec(line);
  if (crashed !== null) {
    core.crashedIn = { ...mappedFile(crashed, at), offset: crashed[2] ?? '0x0' };
    return true;
  }
  const extension = EXTENSION.exec(line);
  if (extension === null) return false;
  core.extensions.push({ path: unquote(extension[1] ?? ''), at });
  return true;
};

/** Reads what coredumps.py prints. Never throws. */
export const parseCoredumps = (text: string): Parsed<CoredumpsData> => {
  const lines = text.split('\n');
  const gone = lines.slice(0, 3).find((line) => line.startsWith('gone: '));
  if (gone !== undefined) return { ok: false, reason: 'target-gone', why: gone.slice(6, 300) };
  const at = lines.findIndex((line) => PATTERN.test(line));
  if (lines[0] !== 'coredumps 1' || at < 0) {
    return { ok: false, reason: 'not-parsable', why: 'nothing says where cores would be written' };
  }
  const data: CoredumpsData = {
    pattern: {
      text: unquote(PATTERN.exec(lines[at] ?? '')?.[1] ?? ''),
      usesPid: lines.includes('pattern adds the pid: yes'),
      at: at + 1,
    },
    limits: [],
    searched: [],
    code: [],
    cores: [],
    unread: [],
  };
  lines.forEach((line, index) => {
    readLine(data, line.slice(0, 8192), index + 1);
  });
  return { ok: true, data, partly: lines.includes('end') ? [] : ['the list of cores breaks off'] };
};

const readLine = (data: CoredumpsData, line: string, at: number): void => {
  const last = data.cores.at(-1);
  if (last !== undefined && readCoreDetail(last, line, at)) return;
  const core = readCore(line, at);
  if (core !== null) data.cores.push(core);
  const limit = LIMIT.exec(line);
  if (limit !== null) {
    data.limits.push({
      who: limit[1] as CoredumpsData['limits'][number]['who'],
      pid: Number(limit[2]),
      soft: limitOf(limit[3]),
      hard: limitOf(limit[4]),
      at,
    });
  }
  const searched = SEARCHED.exec(line);
  if (searched !== null) data.searched.push({ folder: unquote(searched[1] ?? ''), what: searched[2] ?? '', at });
  const code = CODE.exec(line);
  if (code !== null) data.code.push({ path: unquote(code[1] ?? ''), start: code[2] ?? '', at });
  const unread = UNREAD.exec(line);
  if (unread !== null) {
    data.unread.push({ path: unquote(unread[1] ?? ''), written: Number(unread[2]), why: unread[3] ?? '', at });
  }
};
