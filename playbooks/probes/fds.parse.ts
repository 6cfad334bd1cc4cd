import type { Parsed } from '../model/index.ts';
import type { FdGroup, FdsData } from './fds.ts';

const GROUP =
  /^group ([a-z_ ]{1,30}): (\d{1,9}) first, (\d{1,9}) last, (\d{1,9}) opened, (\d{1,9}) closed, (\d{1,9}) names, (?:"((?:[^"\\]|\\.)*)"|-)$/;
const KIND = /^kind ([a-z_ ]{1,30}): (\d{1,9}) first, (\d{1,9}) last$/;
const NEWEST = /^newest: descriptor (\d{1,9}), (there before|opened in the window), (.*)$/;

/** The script writes names between quotes; inside them a quote is `\"`. */
const unquoted = (text: string): string => text.replace(/\\"/g, '"');

const limitOf = (text: string | undefined): number | null =>
  text === undefined || text === 'unlimited' ? null : Number(text);

const groupOf = (line: string, at: number): FdGroup | null => {
  const match = GROUP.exec(line);
  if (match === null) return null;
  const [first = 0, last = 0, opened = 0, closed = 0, names = 0] = match.slice(2, 7).map(Number);
  const name = match[7] === undefined ? null : unquoted(match[7]);
  return { kind: match[1] ?? '', name, first, last, opened, closed, names, at };
};

/** Reads what fds.py or fds.sh prints. Never throws; what is missing is said in `partly`. */
export const parseFds = (text: string, pid: number): Parsed<FdsData> => {
  const lines = text.split('\n');
  if (lines[0] !== 'fds 1') return { ok: false, reason: 'not-parsable', why: 'the list of descriptors does not begin' };
  const partly: string[] = [];
  const counts: { seconds: number; open: number }[] = [];
  const data: FdsData = {
    seconds: 0,
    limits: null,
    host: null,
    counts,
    countsAt: 1,
    kinds: [],
    groups: [],
    newest: [],
  };
  for (const [index, line] of lines.entries()) {
    const at = index + 1;
    const gone = /^gone: (.*)$/.exec(line)?.[1];
    if (gone !== undefined) return { ok: false, reason: 'target-gone', why: gone || `there is no process ${pid}` };
    if (line.startsWith('denied: ')) {
      const why = `the descriptors of process ${pid} are shown only to root and its owner`;
      return { ok: false, reason: 'no-permission', why };
    }
    if (line.startsWith('not readable: ')) partly.push(line);
    data.seconds = Number(/^window: (\d{1,6}\.\d{1,6}) s$/.exec(line)?.[1] ?? data.seconds);
    const limits = /^limits: soft (\d{1,15}|unlimited), hard (\d{1,15}|unlimited)$/.exec(line);
    if (limits !== null) data.limits = { soft: limitOf(limits[1]), hard: limitOf(limits[2]), at };
    const host = /^host: (\d{1,15}) open of (\d{1,15})\d*$/.exec(line);
    if (host !== null) data.host = { open: Number(host[1]), most: Number(host[2]), at };
    if (line.startsWith('open: ') && counts.length === 0) {
      data.countsAt = at;
      for (const [, open, seconds] of line.matchAll(/(\d{1,9}) at (\d{1,6}\.\d\d) s/g))
        counts.push({ open: Number(open), seconds: Number(seconds) });
    }
    const kind = KIND.exec(line);
    if (kind !== null) data.kinds.push({ kind: kind[1] ?? '', first: Number(kind[2]), last: Number(kind[3]), at });
    const group = groupOf(line, at);
    if (group !== null) data.groups.push(group);
    const newest = NEWEST.exec(line);
    if (newest !== null)
      data.newest.push({ fd: Number(newest[1]), opened: newest[2] !== 'there before', target: newest[3] ?? '', at });
  }
  if (counts.length === 0)
    return { ok: false, reason: 'not-parsable', why: 'the descriptors of the process were not counted' };
  data.groups.sort((a, b) => Math.max(b.first, b.last) - Math.max(a.first, a.last));
  if (!lines.includes('end')) partly.push('the list of descriptors breaks off');
  return { ok: true, data, partly };
};
