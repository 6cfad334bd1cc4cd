import type { Parsed } from '../model/index.ts';
import type { MemoryData, MemoryKind, MemoryReading } from './memory.ts';

type Draft = { -readonly [Key in keyof MemoryReading]: MemoryReading[Key] | undefined };
type Kinds = NonNullable<MemoryReading['kinds']>;

const N = '(\\d{1,18}|\\?)';
const COUNTERS = new RegExp(
  `^counters: resident ${N}, anonymous ${N}, file ${N}, shared ${N}, swapped ${N}, peak ${N}, page tables ${N}$`,
);
const FAULTS = /^faults: minor (\d{1,18}), major (\d{1,18})$/;
const HOST = new RegExp(`^host: pages swapped in ${N}, out ${N}, major faults ${N}$`);
const HOST_MEMORY = new RegExp(`^host memory: total ${N}, available ${N}, swap ${N}, swap free ${N}$`);
const PRESSURE = new RegExp(`^pressure( group)?: some (\\d{1,18}) us, full ${N} us$`);
const GROUP = new RegExp(`^group: used ${N} bytes, limit ${N} bytes, swap ${N} bytes$`);
const KIND =
  /^(heap|arena|anonymous|stack|file|shared|other): (\d{1,9}), size (\d{1,18}), resident (\d{1,18}), swapped (\d{1,18}), lazily freed (\d{1,18}), huge pages (\d{1,18}), anonymous \d{1,18}, written \d{1,18}$/;
const LARGE =
  /^large (heap|arena|anonymous): ([0-9a-f]{1,16}-[0-9a-f]{1,16}), size (\d{1,18}), resident (\d{1,18}), swapped (\d{1,18})$/;
const POINT = new RegExp(
  `^at (\\d{1,9}\\.\\d{1,3}) s: resident ${N}, anonymous ${N}(?:, shared ${N})?, swapped ${N}, major faults (\\d{1,18})$`,
);

const known = (text: string | undefined): number | null => (text === undefined || text === '?' ? null : Number(text));
const numbers = (match: RegExpExecArray): (number | null)[] => match.slice(1).map(known);

/** Takes one line of a reading into it. Returns what the reading lacks, when the line says so. */
const readLine = (draft: Draft, text: string, at: number, kinds: Partial<Kinds>): string | null => {
  let match = COUNTERS.exec(text);
  if (match !== null) {
    const [
      residentKib,
      anonymousKib = null,
      fileKib = null,
      sharedKib = null,
      swappedKib = null,
      peakKib = null,
      tables,
    ] = numbers(match);
    if (typeof residentKib === 'number') {
      const pageTablesKib = tables ?? null;
      draft.counters = { residentKib, anonymousKib, fileKib, sharedKib, swappedKib, peakKib, pageTablesKib, at };
    }
    return null;
  }
  match = FAULTS.exec(text);
  if (match !== null) draft.faults = { minor: Number(match[1]), major: Number(match[2]), at };
  match = HOST.exec(text);
  if (match !== null) {
    const [pagesIn, pagesOut, majorFaults] = numbers(match);
    draft.host = { pagesIn: pagesIn ?? 0, pagesOut: pagesOut ?? 0, majorFaults: majorFaults ?? 0, at };
  }
  match = HOST_MEMORY.exec(text);
  if (match !== null) {
    const [totalKib, availableKib = null, swapKib, swapFreeKib] = numbers(match);
    draft.hostMemory = {
      totalKib: totalKib ?? 0,
      availableKib,
      swapKib: swapKib ?? 0,
      swapFreeKib: swapFreeKib ?? 0,
      at,
    };
  }
  match = PRESSURE.exec(text);
  if (match !== null) {
    const pressure = { someUs: Number(match[2]), fullUs: known(match[3]), at };
    if (match[1] === undefined) draft.pressure = pressure;
    else draft.groupPressure = pressure;
  }
  match = GROUP.exec(text);
  if (match !== null) {
    const [usedBytes = null, limitBytes = null, swapBytes = null] = numbers(match);
    draft.group = { usedBytes, limitBytes, swapBytes, at };
  }
  match = KIND.exec(text);
  if (match !== null) {
    const [count, sizeKib, residentKib, swappedKib, lazilyFreedKib, hugeKib] = match.slice(2).map(Number);
    const kind: MemoryKind = {
      count: count ?? 0,
      sizeKib: sizeKib ?? 0,
      residentKib: residentKib ?? 0,
      swappedKib: swappedKib ?? 0,
      lazilyFreedKib: lazilyFreedKib ?? 0,
      hugeKib: hugeKib ?? 0,
      at,
    };
    kinds[match[1] as keyof Kinds] = kind;
  }
  match = LARGE.exec(text);
  if (match !== null) {
    const [, kind = '', range = '', size, resident, swapped] = match;
    draft.large = [
      ...(draft.large ?? []),
      {
        kind: kind as 'heap',
        range,
        sizeKib: Number(size),
        residentKib: Number(resident),
        swappedKib: Number(swapped),
        at,
      },
    ];
  }
  return text.startsWith('missing: ') ? text.slice('missing: '.length, 200) : null;
};

const isWhole = (kinds: Partial<Kinds>): kinds is Kinds =>
  (['heap', 'arena', 'anonymous', 'stack', 'file', 'shared', 'other'] as const).every(
    (kind) => kinds[kind] !== undefined,
  );

const readReading = (lines: readonly { text: string; at: number }[], missing: string[]): MemoryReading | null => {
  const draft: Partial<Draft> = {};
  const kinds: Partial<Kinds> = {};
  for (const { text, at } of lines) {
    const lacks = readLine(draft as Draft, text, at, kinds);
    if (lacks !== null) missing.push(lacks);
  }
  if (draft.counters === undefined) return null;
  return {
    counters: draft.counters,
    faults: draft.faults ?? null,
    host: draft.host ?? null,
    hostMemory: draft.hostMemory ?? null,
    pressure: draft.pressure ?? null,
    groupPressure: draft.groupPressure ?? null,
    group: draft.group ?? null,
    kinds: isWhole(kinds) ? kinds : null,
    large: draft.large ?? [],
  };
};

const readCurve = (lines: readonly string[]): MemoryData['curve'] =>
  lines.flatMap((line, index) => {
    const match = POINT.exec(line);
    const residentKib = known(match?.[2]);
    if (match === null || residentKib === null) return [];
    return [
      {
        seconds: Number(match[1]),
        residentKib,
        anonymousKib: known(match[3]),
        sharedKib: known(match[4]),
        swappedKib: known(match[5]),
        majorFaults: Number(match[6]),
        at: index + 1,
      },
    ];
  });

/** Reads what memory.py and memory.sh print. Never throws. */
export const parseMemory = (text: string, pid: number): Parsed<MemoryData> => {
  const lines = text.split('\n');
  const of = (label: string) =>
    lines.flatMap((line, index) =>
      line.startsWith(`${label} `) ? [{ text: line.slice(label.length + 1), at: index + 1 }] : [],
    );
  const missing: string[] = [];
  const begin = readReading(of('begin'), missing);
  const gone = lines.some((line) => line.startsWith('gone: '));
  if (begin === null) {
    return gone
      ? { ok: false, reason: 'target-gone', why: `process ${pid} had ended before its memory could be read` }
      : { ok: false, reason: 'not-parsable', why: 'what the kernel says of its memory could not be read' };
  }
  const done = lines
    .map((line) => /^done: (\d{1,9}\.\d{1,3}) s between/.exec(line)?.[1])
    .find((found) => found !== undefined);
  const end = done === undefined ? null : readReading(of('end'), missing);
  const curve = readCurve(lines);
  const partly = [...new Set(missing)].map((lacks) => `of its memory ${lacks}`);
  if (end === null) {
    partly.push(gone ? `process ${pid} ended before its memory was read again` : 'its memory was read only once');
  }
  if (end !== null && end.kinds === null && missing.length === 0) {
    partly.push(
      lines.includes('read: sums') && begin.counters.residentKib < 16 * 1024 * 1024
        ? 'its memory is not divided by kind: there is no Python on the host to read the mappings'
        : 'its memory is not divided by kind: reading the mappings of so large a process takes too long',
    );
  }
  const seconds = done === undefined ? (curve.at(-1)?.seconds ?? 0) : Number(done);
  return { ok: true, data: { begin, end, seconds, curve }, partly };
};
