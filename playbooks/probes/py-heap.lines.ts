import { unquote } from '../reading/quoted-names.ts';
import type { CollectorState, HeapHolder } from './py-heap.ts';

/** The lines that py-heap.py prints, as patterns. */

// A name as the script prints it: a plain word, or in double quotes with escapes.
const NAME = String.raw`("(?:[^"\\]|\\.)*"|[^\s"\\]+)`;
const NUMBER = String.raw`(\d{1,15})`;
const SIGNED = String.raw`(-?\d{1,15})`;
const TIME = String.raw`(\d{1,9}\.\d{1,3})`;
const lineOf = (pattern: string): RegExp => new RegExp(`^${pattern}$`);

export const HEADER = lineOf(String.raw`python (\S+) looks ([12]) seconds ${TIME} counting ${TIME}`);
export const UNREADABLE = /^unreadable (\S+) (.+)$/;
export const NOTE = lineOf(`note ${NAME}`);
export const POOLS = lineOf(
  `pymalloc ${NUMBER} pools in use, ${NUMBER} free; ${NUMBER} blocks in use, ${NUMBER} bytes; ${NUMBER} bytes free in pools; ${NUMBER} other blocks, ${NUMBER} bytes`,
);
export const COLLECTOR = lineOf(
  String.raw`collector (enabled|disabled), thresholds ${SIGNED} ${SIGNED} ${SIGNED}, counts ${SIGNED} ${SIGNED} ${SIGNED}, (\d{1,15}|\?) collections, ${NUMBER} in gc\.garbage, (\d{1,15}|\?) uncollectable, ${NUMBER} frozen`,
);
export const GARBAGE = lineOf(
  `garbage ${NUMBER} of ${NUMBER} sampled objects, of ${NUMBER} that the collector looks after in pools`,
);
export const GARBAGE_TYPE = lineOf(` {2}garbage-type ${NAME} ${NUMBER}`);
export const CYCLE = /^ {2}cycle of \d{1,9} objects, all references to them are from each other: (.+)$/;
export const TYPES = lineOf(
  `types ${NUMBER} in all, ${NUMBER} objects(, estimated)?(?:, without strings, bytes and numbers over 512 bytes)?`,
);
export const TYPE = lineOf(
  `type ${NAME} ${NUMBER} objects, ${NUMBER} bytes, ${NUMBER} in tables(?:, grew by ${SIGNED} objects, ${SIGNED} bytes)?`,
);
export const CONTAINERS = lineOf(`containers ${NUMBER} watched, ${NUMBER} names grew`);
export const CONTAINER = lineOf(`container ${NAME} (0x[0-9a-f]{1,16}) ${NUMBER} items, (nameless|.+)`);
const HOLDER = lineOf(`(global|attribute|local|cache) ${NAME} in ${NAME}(?: of ${NAME} at ${NUMBER})?( of a library)?`);
export const SIZES = lineOf(
  String.raw` {2}sizes ((?:\d{1,9}\.\d\d:\d{1,15}(?: |(?=$)))+)(?: ?of ${NUMBER} containers of that name)?`,
);
export const HOLDS = lineOf(String.raw` {2}holds in \d{1,9} items: (.+); ${NUMBER} bytes an item`);
export const USE = lineOf(
  String.raw` {2}(adds|empties|takes|removes|measures|sets) ${NAME} ${NUMBER} ${NAME}(?: in a loop that is (endless|finite))? \| (.*)`,
);
export const THREADS = lineOf(`threads ${NUMBER}`);
export const FRAME = lineOf(
  ` {2}frame ${NAME} ${NUMBER} ${NAME}(?: in a loop that is (endless|finite)|( of a library))?`,
);
export const REFERENCES = lineOf(`references to (0x[0-9a-f]{1,16}), ${NUMBER} items, ${NAME}`);
export const REFERENCE = lineOf(` {2}reference ${NUMBER} ${NAME} 0x[0-9a-f]{1,16} to 0x[0-9a-f]{1,16}, ${NAME}`);

/** A number that may be missing or `?`. */
export const orNull = (text: string | undefined): number | null =>
  text === undefined || text === '?' ? null : Number(text);
/** A name, null for `nameless`. */
export const named = (text: string): string | null => (text === 'nameless' ? null : unquote(text));

const BOUND = lineOf(String.raw`(.*?) bounded to (\d{1,15})( of a library)?`);

/** What stands of a container after its size: what the program calls it, and its bound, null where there is none. */
export const boundOf = (text: string): { readonly holder: string; readonly bound: number | null } => {
  const match = BOUND.exec(text);
  return match === null
    ? { holder: text, bound: null }
    : { holder: `${match[1]}${match[3] ?? ''}`, bound: orNull(match[2]) };
};

/** What a program calls a container; null for text that does not say it. */
export const holderOf = (text: string): HeapHolder | null => {
  const match = HOLDER.exec(text);
  if (match === null) return null;
  const [, kind, path = '', file = '', of, line, library] = match;
  return {
    kind: kind as HeapHolder['kind'],
    path: unquote(path),
    file: file === '?' ? null : unquote(file),
    function: of === undefined ? null : unquote(of),
    line: orNull(line),
    library: library !== undefined,
  };
};

/** The state of the collector in a line. */
export const collectorOf = (match: RegExpExecArray, at: number): CollectorState => {
  const [, enabled, ...rest] = match;
  const numbers = rest.slice(0, 6).map(Number);
  return {
    enabled: enabled === 'enabled',
    thresholds: numbers.slice(0, 3),
    counts: numbers.slice(3, 6),
    collections: orNull(rest[6]),
    garbage: Number(rest[7]),
    uncollectable: orNull(rest[8]),
    frozen: Number(rest[9]),
    at,
  };
};

/** Takes a line of one kind, `at` its number; false where it makes no sense there. */
export type ReadLine = (match: RegExpExecArray, at: number) => boolean;
export type LineReader = readonly [pattern: RegExp, read: ReadLine];
