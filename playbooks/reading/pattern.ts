/**
 * What makes a regular expression try exponentially or polynomially many ways: found in its text by the shape alone. It
 * knows enough of Python's syntax (Lib/re/_parser.py) for that and answers null for what it cannot read.
 */
export interface Ambiguity {
  /**
   * `nested` and `alternatives` take exponentially long, `adjacent` a power of the length; `restarts` the square of it, where
   * the pattern is searched for: it is tried anew at each place of what its first part takes.
   */
  readonly kind: 'nested' | 'alternatives' | 'adjacent' | 'restarts';
  /** The part of the pattern that can match the same text in many ways. */
  readonly part: string;
}

interface Atom {
  readonly kind: 'atom';
  readonly text: string;
}
interface Group {
  readonly kind: 'group';
  readonly alternatives: readonly (readonly Item[])[];
}
interface Item {
  readonly what: Atom | Group;
  readonly least: number;
  readonly most: number;
  /** The item's text with its quantifier. */
  readonly text: string;
}

/** Repeats from which on a bounded quantifier leaves a choice, as an unbounded one does. */
const MANY = 2;
const SAMPLES = 'aZ5_ \t\n-.,:;/@+*="\'<>()[]{}\\%$#!?&|~^`é';

class PatternReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  all(): (readonly Item[])[] | null {
    const found = this.#alternatives(0);
    return this.#at === this.#text.length ? found : null;
  }

  #alternatives(depth: number): (readonly Item[])[] | null {
    const found: Item[][] = [[]];
    while (this.#at < this.#text.length && this.#text[this.#at] !== ')') {
      if (this.#text[this.#at] === '|') {
        this.#at += 1;
        found.push([]);
        continue;
      }
      const item = this.#item(depth);
      if (item === null) return null;
      if (item.most > 0) found.at(-1)?.push(item);
    }
    return found;
  }

  #item(depth: number): Item | null {
    const start = this.#at;
    const what = this.#text[start] === '(' ? this.#group(depth) : this.#atom();
    if (what === null) return null;
    const [least, most, atomic] = this.#quantifier();
    const text = this.#text.slice(start, this.#at);
    // Positions have no length; a possessive quantifier does not try again.
    const nothing = what.kind === 'atom' && /^(\^|\$|\\[AbBZ])$/.test(what.text);
    return { what, least: atomic ? Math.min(least, 1) : least, most: nothing ? 0 : atomic ? 1 : most, text };
  }

  #group(depth: number): Atom | Group | null {
    const head = /^\((\?(:|P?<[A-Za-z_]\w*>|[aiLmsux-]+:|<?[=!]|>|P=\w+\)|#[^)]*\)|[aiLmsux]+\)|\(\w+\)))?/.exec(
      this.#text.slice(this.#at),
    );
    if (head === null || depth > 30) return null;
    this.#at += head[0].length;
    if (head[0].endsWith(')')) return { kind: 'atom', text: '\\b' };
    const alternatives = this.#alternatives(depth + 1);
    if (alternatives === null || this.#text[this.#at] !== ')') return null;
    this.#at += 1;
    // What looks around takes nothing, and an atomic group is not tried in another way.
    return /^\(\?(<?[=!]|>)/.test(head[0]) ? { kind: 'atom', text: '\\b' } : { kind: 'group', alternatives };
  }

  #atom(): Atom | null {
    const rest = this.#text.slice(this.#at);
    const found =
      /^(\[\^?\]?(?:\\[\s\S]|[^\]\\])*\]|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[\s\S]|[^()|*+?[\]{}]|[\]{}])/.exec(
        rest,
      );
    if (found === null) return null;
    this.#at += found[0].length;
    return { kind: 'atom', text: found[0] };
  }

  #quantifier(): [least: number, most: number, possessive: boolean] {
    const found = /^(?:([*+?])|\{(\d{0,6})(?:(,)(\d{0,6}))?\})([?+])?/.exec(this.#text.slice(this.#at));
    if (found === null || found[0].startsWith('{}')) return [1, 1, false];
    this.#at += found[0].length;
    const [, sign, low = '', comma, high = '', mode] = found;
    const least = sign === undefined ? Number(low || 0) : sign === '+' ? 1 : 0;
    const bounded = comma === undefined ? least : high === '' ? Number.POSITIVE_INFINITY : Number(high);
    const most = sign === undefined ? bounded : sign === '?' ? 1 : Number.POSITIVE_INFINITY;
    return [least, most, mode === '+'];
  }
}

/** Which of some sample characters an item can begin or consist of; a group's are those of what is in it. */
const characters = (what: Atom | Group): ReadonlySet<string> => {
  if (what.kind === 'group') {
    return new Set(what.alternatives.flatMap((items) => items.flatMap((item) => [...characters(item.what)])));
  }
  if (what.text.length === 1 && what.text !== '.') return new Set([what.text]);
  try {
    const one = new RegExp(`^(?:${what.text})$`, 'u');
    return new Set([...SAMPLES].filter((character) => one.test(character)));
  } catch {
    return new Set(what.text.startsWith('\\') ? [what.text.slice(1)] : []);
  }
};

const overlap = (one: Atom | Group, other: Atom | Group): boolean => {
  const first = characters(one);
  return [...characters(other)].some((character) => first.has(character));
};

const repeats = (item: Item): boolean => item.most >= MANY && item.most > item.least;

/** Whether a repeated group's one alternative can divide the same text among its rounds in many ways. */
const divides = (items: readonly Item[]): boolean =>
  items.some((inner) => {
    const many = repeats(inner) || (inner.what.kind === 'group' && inner.what.alternatives.some(divides));
    return many && items.every((other) => other === inner || other.least === 0 || overlap(other.what, inner.what));
  });

const inGroup = (item: Item, group: Group): Ambiguity | null => {
  // Rounds that are counted leave as many choices as those that are not: only where each begins is open.
  if (item.most >= MANY && group.alternatives.some(divides)) return { kind: 'nested', part: item.text };
  if (repeats(item)) {
    const single = group.alternatives.flatMap((items) =>
      items.length === 1 && items[0] !== undefined ? [items[0]] : [],
    );
    const twice = single.some((one, index) => single.slice(index + 1).some((other) => overlap(one.what, other.what)));
    if (twice) return { kind: 'alternatives', part: item.text };
  }
  for (const items of group.alternatives) {
    const found = inSequence(items);
    if (found !== null) return found;
  }
  return null;
};

const inSequence = (items: readonly Item[]): Ambiguity | null => {
  for (const item of items) {
    const found = item.what.kind === 'group' ? inGroup(item, item.what) : null;
    if (found !== null && found.kind !== 'adjacent') return found;
  }
  for (let first = 0; first < items.length; first += 1) {
    const one = items[first];
    if (one === undefined || !repeats(one)) continue;
    for (let next = first + 1; next < items.length; next += 1) {
      const other = items[next];
      if (other === undefined || (other.least > 0 && !overlap(one.what, other.what))) break;
      if (repeats(other) && overlap(one.what, other.what)) {
        return {
          kind: 'adjacent',
          part: items
            .slice(first, next + 1)
            .map((each) => each.text)
            .join(''),
        };
      }
    }
  }
  return null;
};

/** A search for `\\s+$`: at each of many spaces it goes through all that follow, and finds no end. */
const restartsOf = (pattern: string, items: readonly Item[]): Ambiguity | null => {
  const [first] = items;
  const anchored = /^\^|^\\A/.test(pattern);
  const last = first !== undefined && pattern === first.text;
  return first !== undefined && !anchored && !last && first.most === Number.POSITIVE_INFINITY
    ? { kind: 'restarts', part: first.text }
    : null;
};

/** The part of a pattern that can match one text in very many ways; null when there is none that can be told. */
export const ambiguityOf = (pattern: string): Ambiguity | null => {
  const alternatives = new PatternReader(pattern).all();
  if (alternatives === null) return null;
  const found = alternatives.map(inSequence).filter((each) => each !== null);
  const restarts = alternatives.map((items) => restartsOf(pattern, items)).filter((each) => each !== null);
  if (found.length === 0) return restarts[0] ?? null;
  return found.find((each) => each.kind !== 'adjacent') ?? found[0] ?? null;
};
