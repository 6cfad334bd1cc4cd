/** A text with `{name}` where something is filled in: its literal pieces, and the names between them. */
export interface Pattern {
  /** One more than `names`; the pieces at either end may be empty. */
  readonly literals: readonly string[];
  readonly names: readonly string[];
  /** For each piece, whether its first character stands inside a code span. */
  readonly inCode: readonly boolean[];
}

const PLACEHOLDER = /\{([a-zA-Z][a-zA-Z0-9]*)\}/;

/** `{number}`, `{number2}` are filled by nothing but a number: `3`, `1,299`, `0.5`. */
const NUMBERS = /^number\d*$/;
const NUMBER = /^-?\d{1,20}(?:[.,]\d{1,20}){0,8}$/;

/** `{word}` by one word: the name of a system call. */
const WORDS = /^word\d*$/;

/** Which characters of a text stand between backticks: 1 for these, the closing backtick among them. A lone backtick opens nothing. */
export const codeMap = (text: string): Uint8Array => {
  const map = new Uint8Array(text.length);
  for (let open = text.indexOf('`'); open !== -1; ) {
    const close = text.indexOf('`', open + 1);
    if (close === -1) break;
    map.fill(1, open + 1, close + 1);
    open = text.indexOf('`', close + 1);
  }
  return map;
};

/** Reads a pattern. Braces that enclose no plain word are literal. */
export const readPattern = (text: string): Pattern => {
  const pieces = text.split(new RegExp(PLACEHOLDER, 'g'));
  const literals = pieces.filter((_piece, index) => index % 2 === 0);
  const names = pieces.filter((_piece, index) => index % 2 === 1);
  const map = codeMap(text);
  let at = 0;
  const inCode = literals.map((literal, index) => {
    const inside = map[at] === 1;
    at += literal.length + (names[index]?.length ?? 0) + 2;
    return inside;
  });
  return { literals, names, inCode };
};

/** A text with what is needed to match it: which characters are code, and how deep in parentheses each of them is. */
export interface Matched {
  readonly text: string;
  readonly code: Uint8Array;
  /** Parentheses that are open before each character, and at the end; those in code and in closed quotation marks do not count. */
  readonly depth: Int32Array;
}

/** Prepares a text for matching. Linear. */
export const toMatch = (text: string): Matched => {
  const code = codeMap(text);
  const depth = new Int32Array(text.length + 1);
  let quoteEnd = -1;
  let quotes = true;
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    let step = 0;
    if (code[at] !== 1 && at > quoteEnd) {
      if (character === '(') step = 1;
      if (character === ')') step = -1;
      if (character === '"' && quotes) {
        quoteEnd = text.indexOf('"', at + 1);
        quotes = quoteEnd !== -1;
      }
    }
    depth[at + 1] = (depth[at] ?? 0) + step;
  }
  return { text, code, depth };
};

/** Whether what stands from `from` to before `to` opens and closes its parentheses itself. */
const isWhole = ({ depth }: Matched, from: number, to: number): boolean => {
  const level = depth[from] ?? 0;
  for (let at = from; at < to; at++) if ((depth[at] ?? 0) < level) return false;
  return depth[to] === level;
};

/** Where a piece next stands so that what comes before it is whole; -1 for nowhere. */
const find = (matched: Matched, literal: string, inside: boolean, start: number): number => {
  const { text, code, depth } = matched;
  const level = depth[start] ?? 0;
  let seen = start;
  for (let at = text.indexOf(literal, start + 1); at !== -1; at = text.indexOf(literal, at + 1)) {
    for (; seen < at; seen++) if ((depth[seen] ?? 0) < level) return -1;
    if ((code[at] === 1) === inside && depth[at] === level) return at;
    // What is filled into code ends with it.
    if (code[start] === 1 && code[at] !== 1) return -1;
  }
  return -1;
};

/**
 * What fills the pattern in a text, by name; null when the text is not of this pattern. Pieces are taken where they first stand
 * from left to right and the last at the end, never across the edge of a code span or out of parentheses, so the time is that of a
 * search for each piece. Nothing is filled in by nothing, and what stands twice has to be the same twice.
 */
export const fills = (pattern: Pattern, text: string, matched = toMatch(text)): ReadonlyMap<string, string> | null => {
  const { literals, names, inCode } = pattern;
  const { code } = matched;
  const [first = '', ...rest] = literals;
  if (rest.length === 0) return text === first ? new Map() : null;
  const last = rest.at(-1) ?? '';
  const end = text.length - last.length;
  if (!text.startsWith(first) || end <= first.length || !text.endsWith(last)) return null;
  if (last !== '' && (code[end] === 1) !== inCode.at(-1)) return null;
  const values = new Map<string, string>();
  let from = first.length;
  for (const [index, literal] of rest.entries()) {
    const isLast = index === rest.length - 1;
    const at = isLast ? end : find(matched, literal, inCode[index + 1] ?? false, from);
    if (at === -1 || at > end || at <= from || (isLast && !isWhole(matched, from, at))) return null;
    const name = names[index] ?? '';
    const value = text.slice(from, at);
    if (inCode[index + 1] === true && value.includes('`')) return null;
    if (NUMBERS.test(name) && !NUMBER.test(value)) return null;
    if (WORDS.test(name) && /[\s`]/.test(value)) return null;
    if ((values.get(name) ?? value) !== value) return null;
    values.set(name, value);
    from = at + literal.length;
  }
  return values;
};

const HAN = /\p{Script=Han}/u;
/** Marks that bring their own space. */
const WIDE = /[，。：；！？、（）《》“”…]/;
const NARROW = /[A-Za-z0-9`%]/;

/**
 * Two pieces of a text beside each other, spaced as Chinese is set: one space where Chinese meets a word, a number or code, none
 * between Chinese and at full-width marks. Elsewhere as they are. What is inside of the pieces is not touched.
 */
export const joined = (left: string, right: string): string => {
  const [before, after] = [left.trimEnd(), right.trimStart()];
  const [end, start] = [before.at(-1) ?? '', after.at(0) ?? ''];
  if (end === '' || start === '') return left + right;
  if (WIDE.test(end) || WIDE.test(start)) return before + after;
  if (HAN.test(end) && HAN.test(start)) return before + after;
  if ((HAN.test(end) && NARROW.test(start)) || (NARROW.test(end) && HAN.test(start))) return `${before} ${after}`;
  return left + right;
};

/** The pattern with its names replaced; the names and pieces may stand in another order than where the values came from. */
export const fillIn = ({ literals, names, inCode }: Pattern, values: ReadonlyMap<string, string>): string =>
  literals.slice(1).reduce((text, literal, index) => {
    const value = values.get(names[index] ?? '') ?? '';
    // What stands in code is somebody else's: nothing is put in or left out there.
    return inCode[index + 1] === true ? text + value + literal : joined(joined(text, value), literal);
  }, literals[0] ?? '');
