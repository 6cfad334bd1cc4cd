import { type Parsed, UnseenReason } from '../model/index.ts';
import type { MallocArena, MallocData, MallocFigures, MallocLook } from './malloc.ts';

const N = '(\\d{1,18})';
const FIGURES = `walked ${N} of ${N}, in use ${N} in ${N}, free ${N} in ${N}, free and resident ${N}, in whole pages ${N}, largest free ${N}, top ${N}, top resident ${N}, swapped ${N}`;
const BOOKS = `heaps ${N}, from the system ${N}, most ${N}, fast ${N} in ${N}, ${FIGURES}`;
const ARENA = new RegExp(`^arena (\\d{1,6}): at 0x[0-9a-f]{1,16}, ${BOOKS}(?:, stopped: (.{1,80}))?$`);
const TOTAL = new RegExp(`^all arenas: (\\d{1,6}), ${BOOKS}$`);
const MAPPED = new RegExp(
  `^mapped chunks: ${N}, bytes ${N}, most ${N}, trim threshold (\\d{1,20}), mmap threshold (\\d{1,20}), arenas at most \\d{1,20}$`,
);
const GLIBC = /^malloc: glibc (\d{1,3}\.\d{1,3}), main arena at 0x[0-9a-f]{1,16} by (search|symbol), /;
const LOOK = /^look at (\d{1,6}\.\d{1,3}) s$/;
const BETWEEN = new RegExp(`^in between: walked ${N} times, in use from ${N} to ${N}, ran (\\d{1,9}\\.\\d{3}) s$`);
const SIZES = /^sizes in use: ?((?:\d{1,18}x\d{1,18}(?: |$))*)$/;
const ALLOCATOR = /^allocator: ([a-z]{2,20})(?: "(.*)"| in the executable)$/;
const OFFERED = /^offered: ([a-z_]{2,20}) "(.*)"$/;
const SETTING = /^setting: "(.*)"$/;

/** Fields from `heaps` on. */
const booksOf = (values: readonly number[]): Omit<MallocArena, 'number' | 'stopped' | 'at'> => {
  const [heaps = 0, system = 0, most = 0, fast = 0, , ...rest] = values;
  const names: readonly (keyof MallocFigures)[] = [
    'walked',
    'size',
    'used',
    'usedChunks',
    'free',
    'freeChunks',
    'freeResident',
    'trimmable',
    'largestFree',
    'top',
    'topResident',
    'swapped',
  ];
  const figures = Object.fromEntries(names.map((name, index) => [name, rest[index] ?? 0])) as MallocFigures;
  return { heaps, system, most, fast, ...figures };
};

const readLook = (seconds: number, lines: readonly { text: string; at: number }[]): MallocLook | null => {
  const arenas: MallocArena[] = [];
  let total: MallocLook['total'] | null = null;
  let mapped: MallocLook['mapped'] = null;
  let sizes: MallocLook['sizes'] = [];
  let sizesAt: number | null = null;
  for (const { text, at } of lines) {
    let match = ARENA.exec(text);
    if (match !== null) {
      const stopped = match[19] ?? null;
      arenas.push({ number: Number(match[1]), stopped, at, ...booksOf(match.slice(2, 19).map(Number)) });
    }
    match = TOTAL.exec(text);
    if (match !== null) total = { count: Number(match[1]), at, ...booksOf(match.slice(2, 19).map(Number)) };
    match = MAPPED.exec(text);
    if (match !== null) {
      const [count = 0, bytes = 0, , trimThreshold = 0, mmapThreshold = 0] = match.slice(1).map(Number);
      mapped = { count, bytes, trimThreshold, mmapThreshold, at };
    }
    match = SIZES.exec(text);
    if (match !== null) {
      sizesAt = at;
      sizes = (match[1] ?? '')
        .split(' ')
        .filter((pair) => pair !== '')
        .map((pair) => {
          const [size, count] = pair.split('x');
          return { size: Number(size), count: Number(count) };
        });
    }
  }
  return total === null ? null : { seconds, arenas, total, mapped, sizes, sizesAt };
};

/** Why it could not be read, as the script says it; null when it does not say so. */
const unreadable = (lines: readonly string[]): { reason: UnseenReason; why: string } | null => {
  const match = lines
    .map((line) => /^unreadable ([a-z-]{1,20}) (.{1,400})$/.exec(line))
    .find((found) => found !== null);
  const reason = UnseenReason.safeParse(match?.[1]);
  if (match === null || match === undefined || !reason.success) return null;
  return { reason: reason.data, why: `malloc's books could not be read: ${match[2] ?? ''}` };
};

/** Reads what malloc.py prints. Never throws. */
export const parseMalloc = (text: string): Parsed<MallocData> => {
  const lines = text.split('\n');
  const looks: MallocLook[] = [];
  const starts = lines.flatMap((line, index) => (LOOK.test(line) ? [index] : []));
  for (const [number, start] of starts.entries()) {
    const some = lines.slice(start, starts[number + 1]).map((line, index) => ({ text: line, at: start + index + 1 }));
    const look = readLook(Number(LOOK.exec(lines[start] ?? '')?.[1]), some);
    if (look !== null) looks.push(look);
  }
  const why = unreadable(lines);
  const glibcAt = lines.findIndex((line) => GLIBC.test(line));
  const glibc = GLIBC.exec(lines[glibcAt] ?? '');
  const each = <Found>(pattern: RegExp, make: (match: RegExpExecArray, at: number) => Found): Found[] =>
    lines.flatMap((line, index) => {
      const match = pattern.exec(line);
      return match === null ? [] : [make(match, index + 1)];
    });
  const allocators = each(ALLOCATOR, (match, at) => ({ kind: match[1] ?? '', path: match[2] ?? null, at }));
  const partly: string[] = [];
  if (glibc === null || looks.length === 0) {
    if (allocators.length === 0 || (why !== null && why.reason !== 'not-parsable')) {
      return { ok: false, ...(why ?? { reason: 'not-parsable', why: "malloc's books could not be read" }) };
    }
    looks.length = 0;
    partly.push(`malloc is ${allocators[0]?.kind}'s, whose books are not read`);
  } else if (why !== null) partly.push(why.why);
  const [first] = looks;
  const stopped = first?.arenas.find((arena) => arena.stopped !== null);
  if (first !== undefined && stopped !== undefined && first.total.walked < first.total.size) {
    partly.push(
      `malloc's chunks were walked in ${first.total.walked} of ${first.total.size} bytes only (${stopped.stopped})`,
    );
  }
  const [between = null] = each(BETWEEN, (match, at) => {
    const [walks = 0, least = 0, most = 0, ranSeconds = 0] = match.slice(1).map(Number);
    return { walks, least, most, ranSeconds, at };
  });
  const how = glibc?.[2] === 'symbol' ? 'symbol' : 'search';
  return {
    ok: true,
    partly,
    data: {
      glibc: glibc === null || looks.length === 0 ? null : { version: glibc[1] ?? '', how, at: glibcAt + 1 },
      allocators,
      settings: each(SETTING, (match, at) => ({ text: match[1] ?? '', at })),
      offered: each(OFFERED, (match, at) => ({ kind: match[1] ?? '', path: match[2] ?? '', at })),
      between: looks.length < 2 ? null : between,
      looks,
    },
  };
};
