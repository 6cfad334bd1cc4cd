import { isMap, isScalar, LineCounter, parseDocument, type YAMLError } from 'yaml';

/** Why a text is no YAML, and the line where. */
export interface YamlFault {
  readonly line: number;
  readonly reason: string;
}

/** A YAML document's value, and the line on which the thing at a path stands, or the nearest around it. */
export interface YamlText {
  readonly value: unknown;
  readonly lineOf: (at: readonly PropertyKey[]) => number;
  /** The same for the key that leads to it, which may stand above it. */
  readonly lineOfKey: (at: readonly PropertyKey[]) => number;
}

/** Nothing that a person writes is nested so deeply; what reads it goes down with it. */
const DEEPEST = 100;

const isDeeper = (value: unknown, than: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (than === 0 || Object.values(value).some((each) => isDeeper(each, than - 1)));

const TOO_DEEP = { faults: [{ line: 1, reason: `it is nested more than ${DEEPEST} levels deep` }] };

/** Reads YAML that a person wrote. Never throws: faults, with their lines, are an answer. */
export const readYaml = (text: string): YamlText | { readonly faults: readonly YamlFault[] } => {
  try {
    return read(text);
  } catch (error) {
    if (error instanceof RangeError) return TOO_DEEP;
    throw error;
  }
};

/** Without the place, which is told apart, and without advice to programmers. */
const reasonOf = ({ code, message }: YAMLError): string => {
  if (code === 'MULTIPLE_DOCS') return 'a second document begins (---); there can be one only';
  return (message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '');
};

const read = (text: string): YamlText | { readonly faults: readonly YamlFault[] } => {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, logLevel: 'error', merge: true });
  if (document.errors.length > 0) {
    return {
      faults: document.errors.map((error) => ({
        line: lines.linePos(error.pos[0]).line,
        reason: reasonOf(error),
      })),
    };
  }
  const lineOf = (at: readonly PropertyKey[]): number => {
    for (let length = at.length; length >= 0; length--) {
      const node: unknown = document.getIn(at.slice(0, length), true);
      const range = node !== null && typeof node === 'object' && 'range' in node ? node.range : undefined;
      if (Array.isArray(range) && typeof range[0] === 'number') return lines.linePos(range[0]).line;
    }
    return 1;
  };
  const lineOfKey = (at: readonly PropertyKey[]): number => {
    const around: unknown = at.length > 1 ? document.getIn(at.slice(0, -1), true) : document.contents;
    const pair = isMap(around)
      ? around.items.find(({ key }) => isScalar(key) && String(key.value) === String(at.at(-1)))
      : undefined;
    const start = isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
    return start === undefined ? lineOf(at) : lines.linePos(start).line;
  };
  try {
    const value: unknown = document.toJS();
    return isDeeper(value, DEEPEST) ? TOO_DEEP : { value, lineOf, lineOfKey };
  } catch (error) {
    if (error instanceof RangeError) throw error;
    // An alias without its anchor, or one that stands for more than a file has room for.
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return { faults: [{ line: 1, reason: `an alias cannot be used: ${reason}` }] };
  }
};
