import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { type Pattern, readPattern } from './pattern.ts';

/** The languages that there are texts in. English is what the rules write. */
export const Language = z.enum(['en', 'zh']);
export type Language = z.infer<typeof Language>;

/** A file of translations: sentences, short texts and phrases, with `{name}` for what is filled in. */
export const Pairs = z.array(z.strictObject({ en: z.string().min(1), zh: z.string().min(1) }));
export type Pairs = z.infer<typeof Pairs>;

/** A text and its translation, ready to be matched. */
export interface Pair {
  readonly en: Pattern;
  readonly translated: Pattern;
  /** Letters outside of what is filled in. With few of them (`{a} of {b}`) it matches too much to be trusted by itself. */
  readonly letters: number;
}

/** Pairs by the beginning of their English; those that begin with something filled in under the empty text. */
export interface Book {
  readonly whole: ReadonlyMap<string, Pair>;
  readonly byStart: ReadonlyMap<string, readonly Pair[]>;
}

/** As many characters of a text's beginning as pairs are found by. */
export const START = 3;

/** A pair of a cause with fewer letters of its own fits sentences that are none of its. */
const TELLING_LETTERS = 16;

const folder = path.join(import.meta.dirname, 'zh');

const lettersIn = ({ literals }: Pattern): number => literals.join('').replace(/[^\p{L}]/gu, '').length;

/** Makes a book of pairs: the most literal pair of a beginning is tried first. */
export const bookOf = (pairs: Pairs): Book => {
  const whole = new Map<string, Pair>();
  const byStart = new Map<string, Pair[]>();
  for (const { en, zh } of pairs) {
    const pair: Pair = { en: readPattern(en), translated: readPattern(zh), letters: 0 };
    const counted = { ...pair, letters: lettersIn(pair.en) };
    if (pair.en.names.length === 0) whole.set(en, counted);
    else {
      const first = pair.en.literals[0] ?? '';
      const start = first.length < START ? '' : first.slice(0, START);
      byStart.set(start, [...(byStart.get(start) ?? []), counted]);
    }
  }
  for (const each of byStart.values()) each.sort((one, other) => length(other.en) - length(one.en));
  return { whole, byStart };
};

const length = ({ literals }: Pattern): number => literals.join('').length;

/** The pairs of a file of `playbooks/words/zh/`; none where there is no such file. Throws for one that is not as it has to be. */
export const readPairs = (name: string): Pairs => {
  const file = path.join(folder, `${name}.yaml`);
  return /^[a-z0-9-]+$/.test(name) && existsSync(file) ? Pairs.parse(parse(readFileSync(file, 'utf8'))) : [];
};

const books = new Map<string, Book>();

/** Names of all files of translations. */
const allNames = (): string[] =>
  readdirSync(folder)
    .flatMap((file) => (file.endsWith('.yaml') ? [file.slice(0, -'.yaml'.length)] : []))
    .sort();

/** A book that is made of several files: of what the chat side says, or of what any cause says. */
const filesOf = (name: string): string[] => {
  if (name === 'bot') return allNames().filter((each) => each.startsWith('bot-'));
  if (name === 'causes') return allNames().filter((each) => each !== 'shared' && !each.startsWith('bot-'));
  return [name];
};

/** The book of a cause, of `shared`, `bot` or all `causes`, read once. */
export const bookNamed = (name: string): Book => {
  const known = books.get(name);
  if (known !== undefined) return known;
  const pairs = filesOf(name).flatMap(readPairs);
  // Of the causes' texts among others' words only those that say enough not to be taken for them.
  const book = bookOf(
    name === 'causes' ? pairs.filter(({ en }) => lettersIn(readPattern(en)) >= TELLING_LETTERS) : pairs,
  );
  books.set(name, book);
  return book;
};
