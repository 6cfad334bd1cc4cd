import { type Book, bookNamed, type Language, type Pair, START } from './pairs.ts';
import { fillIn, fills, joined, type Matched, toMatch } from './pattern.ts';
import { sentencesOf } from './sentences.ts';

/** A longer sentence stays as it is; nobody wrote it. */
const MAX_SENTENCE = 20_000;
/** Phrases in phrases in phrases. */
const MAX_DEPTH = 12;
/** With fewer letters of its own a pair is trusted only where all that fills it is understood. */
const TRUSTED_LETTERS = 5;
/** Characters that are searched for a text, and more for each of its own: then the rest stays English, whoever wrote it. */
const SEARCHED = 1_000_000;
const SEARCHED_EACH = 1_000;

/** What became of a text: `unknown` lists the sentences and phrases that look like prose and have no translation. */
export interface Translated {
  readonly text: string;
  readonly unknown: readonly string[];
}

/** Two plain words beside each other outside code are prose, and one in small letters; a name (`SIGTERM`), a number or a path is not. */
const PROSE = /(?:^|[\s(,])[a-zA-Z]{2,}[ ,]+[a-zA-Z]{2,}(?=$|[\s),.:;])/;

/** What stands in code or in quotation marks is somebody else's. */
const withoutQuoted = (text: string): string => text.replace(/`[^`]*`|"[^"]*"|“[^”]*”/g, '0');

const isProse = (text: string): boolean => PROSE.test(withoutQuoted(text));

/** One of several is understood when it was translated, or is one word, a name or a measure. */
const isSettled = (piece: string, said: Translated): boolean =>
  said.unknown.length === 0 && (said.text !== piece || /^(?:[\d.,]+ )?\S+$/.test(withoutQuoted(piece).trim()));

/** All ways in which a piece of text may be meant: with and without a full stop, with a small letter at its beginning. */
const variants = (text: string): { text: string; stop: string }[] => {
  const small = `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
  const large = `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  const cases = [...new Set([text, small, large])];
  // Without its full stop first: what fills the end of a pattern does not take it with it.
  return [
    ...(/[^.]\.$/.test(text) ? cases.map((each) => ({ text: each.slice(0, -1), stop: '。' })) : []),
    ...cases.map((each) => ({ text: each, stop: '' })),
  ];
};

/** What joins the last of several, and what the others, in English and in Chinese; what parts most is tried first. */
const CONJUNCTIONS = [
  { joint: '; and ', comma: '; ', chinese: '；', chineseComma: '；' },
  { joint: '; ', comma: '; ', chinese: '；', chineseComma: '；' },
  { joint: ' and ', comma: ', ', chinese: ' 和 ', chineseComma: '、' },
  { joint: ' or ', comma: ', ', chinese: ' 或 ', chineseComma: '、' },
  { joint: ', ', comma: ', ', chinese: '、', chineseComma: '、' },
] as const;

/** The text cut where `separator` stands outside of code and parentheses. */
const cutAt = (text: string, separator: string): string[] => {
  const { code, depth } = toMatch(text);
  const pieces: string[] = [];
  let start = 0;
  for (let at = text.indexOf(separator); at !== -1; at = text.indexOf(separator, at + separator.length)) {
    if (code[at] === 1 || depth[at] !== 0) continue;
    pieces.push(text.slice(start, at));
    start = at + separator.length;
  }
  return [...pieces, text.slice(start)];
};

/** One text on its way: what was found out of its pieces, and how much may still be searched. */
class Translator {
  private readonly books: readonly Book[];
  private readonly known = new Map<string, Translated>();
  private budget: number;
  constructor(books: readonly Book[], length: number) {
    this.books = books;
    this.budget = SEARCHED + SEARCHED_EACH * length;
  }

  private filled({ en, translated, letters }: Pair, matched: Matched, depth: number): Translated | null {
    const { text } = matched;
    // What does not even begin and end so costs nothing.
    if (this.budget <= 0 || !text.startsWith(en.literals[0] ?? '') || !text.endsWith(en.literals.at(-1) ?? ''))
      return null;
    this.budget -= text.length;
    const values = fills(en, text, matched);
    if (values === null) return null;
    const said = new Map<string, string>();
    const unknown: string[] = [];
    const coded = new Set(en.names.filter((_name, index) => en.inCode[index + 1] === true));
    for (const [name, value] of values) {
      // A name in code is no text of ours, whatever it says.
      const each = coded.has(name) ? { text: value, unknown: [] } : this.phrase(value, depth + 1);
      said.set(name, each.text);
      unknown.push(...each.unknown);
    }
    if (letters < TRUSTED_LETTERS && unknown.length > 0) return null;
    return { text: fillIn(translated, said), unknown };
  }

  /** The whole text by a pair: of the cause's own first, and the one that says most of it. */
  private byPair(text: string, depth: number, trusted: boolean): Translated | null {
    let best: Translated | null = null;
    const matched = toMatch(text);
    for (const { byStart } of this.books) {
      for (const pair of [...(byStart.get(text.slice(0, START)) ?? []), ...(byStart.get('') ?? [])]) {
        if (pair.letters >= TRUSTED_LETTERS !== trusted) continue;
        const said = this.filled(pair, matched, depth);
        if (said?.unknown.length === 0) return said;
        best ??= said;
      }
    }
    return best;
  }

  /** `a and b`, `a, b and c`, `a; b`, where each of them is understood. */
  private list(text: string, depth: number): Translated | null {
    for (const { joint, comma, chinese, chineseComma } of CONJUNCTIONS) {
      const halves = cutAt(text, joint);
      // What is joined may have the same word in it, so that each may be the one before the last.
      for (let last = halves.length - 1; last > 0 && last > halves.length - 5; last--) {
        const before = cutAt(halves.slice(0, last).join(joint), comma);
        const pieces = [...before, halves.slice(last).join(joint)];
        const said = pieces.map((each) => this.phrase(each, depth + 1));
        if (!said.every((each, index) => isSettled(pieces[index] ?? '', each))) continue;
        const [first = '', ...more] = said.map((each) => each.text);
        const ends = (index: number) => (index === more.length - 1 ? chinese : chineseComma);
        return { text: more.reduce((sum, each, at) => joined(joined(sum, ends(at)), each), first), unknown: [] };
      }
    }
    return null;
  }

  /** A sentence, a short text or what fills a place in one. */
  private phrase(text: string, depth: number): Translated {
    const known = this.known.get(text);
    if (known !== undefined) return known;
    const said = this.newPhrase(text, depth);
    this.known.set(text, said);
    return said;
  }

  private newPhrase(text: string, depth: number): Translated {
    const none = { text, unknown: isProse(text) ? [text] : [] };
    if (depth > MAX_DEPTH || text.length > MAX_SENTENCE) return none;
    for (const { text: variant, stop } of variants(text)) {
      const pair = this.books.map(({ whole }) => whole.get(variant)).find((each) => each !== undefined);
      if (pair !== undefined) return { text: `${fillIn(pair.translated, new Map())}${stop}`, unknown: [] };
    }
    // Several phrases before one that would take them for its own; a sentence is one.
    const listed = depth === 0 ? null : this.list(text, depth);
    if (listed !== null && listed.text !== text) return listed;
    let best: Translated | null = null;
    for (const trusted of [true, false]) {
      for (const { text: variant, stop } of variants(text)) {
        const said = this.byPair(variant, depth, trusted);
        if (said === null) continue;
        const whole = { text: `${said.text}${stop}`, unknown: said.unknown };
        if (said.unknown.length === 0) return whole;
        best ??= whole;
      }
    }
    return best ?? (depth === 0 ? this.list(text, depth) : null) ?? none;
  }

  text(text: string): Translated {
    const unknown: string[] = [];
    let said = '';
    let before = true;
    for (const sentence of sentencesOf(text)) {
      const each = sentence.text === '' ? { text: '', unknown: [] } : this.phrase(sentence.text, 0);
      unknown.push(...each.unknown);
      const stays = !FULL_WIDTH_END.test(each.text);
      if (stays && !before) said += ' ';
      said += each.text;
      const breaks = sentence.space.includes('\n');
      said += breaks || stays ? sentence.space : '';
      before = breaks || stays;
    }
    return { text: said, unknown };
  }
}

/** After these no space is written. */
const FULL_WIDTH_END = /[。！？：；，]$/;

const booksFor = (cause: string | undefined): Book[] => [
  ...(cause === undefined ? [] : [bookNamed(cause)]),
  bookNamed('shared'),
];

/** A text by the pairs of these books alone, those of the first before those of the next. */
export const translatedBy = (books: readonly Book[], text: string): Translated =>
  new Translator(books, text.length).text(text);

/** As `inLanguage`, with what has no translation. */
export const translated = (text: string, language: Language, cause?: string): Translated =>
  language === 'en' ? { text, unknown: [] } : translatedBy(booksFor(cause), text);

/** A sentence that is known in part only: names and people's words are left in a frame of the chat side's own, and in no other. */
const saidByBot = (sentence: string): string => {
  for (const books of [
    ['bot', 'shared'],
    ['bot', 'shared', 'causes'],
  ]) {
    const said = translatedBy(books.map(bookNamed), sentence);
    if (said.unknown.length === 0) return said.text;
  }
  return translatedBy([bookNamed('bot')], sentence).text;
};

/**
 * What the chat side shows, in another language: its own texts (`zh/bot-*.yaml`), and among them what any cause says. It is
 * given everything that is shown, other people's words too, so that a sentence is left as it is unless it is known. Pure but for
 * reading the texts once.
 */
export const shownInLanguage = (text: string, language: Language): string => {
  if (language === 'en') return text;
  return sentencesOf(text).reduce((said, { text: sentence, space }) => {
    const each = sentence === '' ? '' : saidByBot(sentence);
    // After a full-width mark no space is written, unless what follows is not Chinese.
    return FULL_WIDTH_END.test(each) && !space.includes('\n') ? `${said}${each}` : `${said}${each}${space}`;
  }, '');
};

/**
 * A text of ours in another language: sentence by sentence, by the texts of the cause first and then by those that all share.
 * What is filled in stays as it is, unless it is a phrase of ours too; a sentence without a translation stays English. Pure but for
 * reading the texts once.
 */
export const inLanguage = (text: string, language: Language, cause?: string): string =>
  translated(text, language, cause).text;
