import type { Item } from './view.ts';
import {
  ACTION_WORDS,
  CAUSE_WORDS,
  CERTAIN_WORDS,
  COMMAND_WORDS,
  COMMON_NAMES,
  FAULT_WORDS,
  HEALTHY_WORDS,
  HEDGE_WORDS,
  NUMBER_WORDS,
  OBSERVING_WORDS,
  SAFE_WORDS,
  STOP_WORDS,
} from './words.ts';

/** What a sentence is held against. */
export interface Ground {
  /** The items that it cites, and the facts of the process, which every sentence may name. */
  readonly cited: readonly Item[];
  readonly verdict: 'fault' | 'healthy' | 'unclear';
  /** Everything in the view that somebody else could have written: see `untrustedOf`. */
  readonly untrusted: string;
}

const MOST_LENGTH = 600;
/** A sentence in English shares this part of its weighty words with what it cites, or it says something else. */
const LEAST_SHARED = 0.4;

const textOf = (items: readonly Item[]): string =>
  items.map(({ text, code, cause }) => [text, code ?? '', cause ?? ''].join('\n')).join('\n');

/** Digits of a number without thousands separators, and without zeros behind the point: `1,200.50` is `1200.5`. */
const plainNumber = (number: string): string => {
  const digits = number.replace(/,(?=\d{3}\b)/g, '');
  return digits.includes('.') ? digits.replace(/0+$/, '').replace(/\.$/, '') : digits;
};

const numbersIn = (text: string): string[] =>
  (text.match(/(?<![A-Za-z_\d.])\d+(?:,\d{3})*(?:\.\d+)*/g) ?? []).map(plainNumber);

/** Numbers that are in the items, and those that are only written otherwise: a confidence in per cent. */
const knownNumbers = (items: readonly Item[]): ReadonlySet<string> =>
  new Set([
    ...numbersIn(textOf(items)),
    ...items.flatMap(({ confidence }) =>
      confidence === undefined
        ? []
        : [String(Math.round(confidence * 100)), plainNumber(String(Math.round(confidence * 100) / 100))],
    ),
  ]);

/** Whether a text has the word as a word, not as a part of another. */
const hasWord = (text: string, word: string): boolean => {
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    const before = text[at - 1] ?? ' ';
    const after = text[at + word.length] ?? ' ';
    if (!/[\p{L}\p{N}_]/u.test(before) && !/[\p{L}\p{N}_]/u.test(after)) return true;
  }
  return false;
};

const QUOTED = /`([^`]+)`|“([^”]+)”|"([^"]+)"|「([^」]+)」|『([^』]+)』|‘([^’]+)’|《([^》]+)》/g;

const quotesIn = (text: string): string[] =>
  [...text.matchAll(QUOTED)].map((match) => match.slice(1).find((group) => group !== undefined) ?? '');

/** Words that look like names of code, files or machines. */
const namesIn = (text: string): string[] =>
  (text.match(/[A-Za-z0-9_$][A-Za-z0-9_$./:@()\\-]*/g) ?? [])
    .map((word) => word.replace(/(?:\(\))?[.:)(\\/-]*$/, ''))
    .filter(
      (word) =>
        /[A-Za-z]/.test(word) &&
        (/[_$/\\@]|::|[A-Za-z0-9]\.[A-Za-z0-9]|[a-z][A-Z]|[A-Za-z]-?\d|\d[A-Za-z]{2,}/.test(word) ||
          /^[A-Z]{2,}[A-Z0-9]*$/.test(word)),
    );

/** Capitalised words that do not begin a sentence: names of products, people and places. */
const properIn = (text: string): string[] =>
  [...text.matchAll(/(?<![.!?:;]\s|[.!?]["”’)]\s|^|[“"‘(]|`)(?<=\s)([A-Z][a-z]+[A-Za-z]*)/g)].map(
    (match) => match[1] ?? '',
  );

const stem = (word: string): string => word.toLowerCase().slice(0, 5);

const weightyWords = (text: string): string[] =>
  (text.toLowerCase().match(/[a-z]{4,}/g) ?? []).filter((word) => !STOP_WORDS.has(word));

const weighty = (text: string): string[] => weightyWords(text).map(stem);

const isChinese = (text: string): boolean => /\p{Script=Han}/u.test(text);

const SPAN = /`[^`]*`/g;

/**
 * The rules' own words. What stands in backticks was read from a host (names of processes, files, functions): whoever names
 * a process cannot thereby have anything said.
 */
const rulesOf = (cited: readonly Item[]): string =>
  cited
    .filter(({ kind }) => kind !== 'quote' && kind !== 'source' && kind !== 'target' && kind !== 'probe')
    .map(({ text, cause }) => `${text.replace(SPAN, ' ')} ${(cause ?? '').replaceAll('-', ' ')}`)
    .join('\n');

/** Texts of hosts and people: lines of evidence, source, what the process is called, names in the rules' sentences. */
export const untrustedOf = (items: readonly Item[]): string =>
  items
    .flatMap(({ kind, text }) =>
      kind === 'quote' || kind === 'source' || kind === 'target' ? [text] : (text.match(SPAN) ?? []),
    )
    .join('\n');

const beginsWord = (text: string, stemmed: string): boolean => new RegExp(`(?<![\\p{L}])${stemmed}`, 'u').test(text);

/** Why the words of a claim are not covered, or null. */
const wordsProblem = (text: string, { cited, verdict }: Ground): string | null => {
  const rules = rulesOf(cited);
  // A name in backticks is a name, and has been held against what was read.
  const plain = text.replace(SPAN, '``');
  const offered = cited.map(({ code }) => code ?? '').join('\n');
  const causes = new Set(cited.flatMap(({ cause }) => (cause === undefined ? [] : [cause])));
  for (const [cause, words] of Object.entries(CAUSE_WORDS)) {
    const said = words.exec(plain)?.[0];
    if (said !== undefined && !causes.has(cause) && !rules.toLowerCase().includes(said.toLowerCase()))
      return `it speaks of ${cause} (“${said}”), which no rule found there`;
  }
  const fault = FAULT_WORDS.exec(plain)?.[0];
  if (verdict !== 'fault' && fault !== undefined && !hasWord(rules.toLowerCase(), fault.toLowerCase()))
    return `it calls something wrong (“${fault}”) that no rule does`;
  const healthy = HEALTHY_WORDS.exec(plain)?.[0];
  if (verdict !== 'healthy' && healthy !== undefined && !rules.toLowerCase().includes(healthy.toLowerCase()))
    return `it calls something right (“${healthy}”) that no rule does`;
  const sure = Math.max(0, ...cited.map(({ confidence }) => confidence ?? 0));
  const certain = CERTAIN_WORDS.exec(plain)?.[0];
  if (certain !== undefined && sure < 0.9 && !hasWord(rules.toLowerCase(), certain.toLowerCase()))
    return `it is more certain (“${certain}”) than the rules`;
  const safe = SAFE_WORDS.exec(plain)?.[0];
  if (safe !== undefined && !hasWord(rules.toLowerCase(), safe.toLowerCase()))
    return `it says what is safe or risky (“${safe}”), as no rule does`;
  const onlyHints = sure > 0 && sure < 0.5;
  if (onlyHints && !HEDGE_WORDS.test(text)) return 'it states what is only a hint';
  for (const [action] of plain.matchAll(ACTION_WORDS)) {
    if (!beginsWord(rules.toLowerCase(), stem(action))) return `it tells somebody to act (“${action}”) as no rule does`;
  }
  for (const [command] of text.matchAll(COMMAND_WORDS)) {
    if (!hasWord(rules, command) && !hasWord(offered, command))
      return `it names a command (“${command}”) that no rule offers`;
  }
  return null;
};

/** Why the facts of a claim are not covered, or null. */
const factsProblem = (text: string, { cited }: Ground): string | null => {
  const all = textOf(cited);
  for (const quote of quotesIn(text)) {
    if (quote.length > 2 && !all.includes(quote.replace(/\(\)$/, '')))
      return `“${quote}” is not what the cited items say`;
  }
  const known = knownNumbers(cited);
  for (const number of numbersIn(text))
    if (!known.has(number)) return `the number ${number} is in none of the cited items`;
  for (const [word, number] of NUMBER_WORDS) {
    const said = isChinese(word)
      ? new RegExp(`${word}(?=[个次秒分条台份倍项处种线进])`).test(text)
      : hasWord(text.toLowerCase(), word);
    if (said && !known.has(number) && !hasWord(all.toLowerCase(), word))
      return `the number “${word}” is in none of the cited items`;
  }
  for (const name of namesIn(text)) {
    if (!COMMON_NAMES.has(name) && !hasWord(all, name)) return `the name “${name}” is in none of the cited items`;
  }
  for (const name of properIn(text)) {
    if (!COMMON_NAMES.has(name) && !hasWord(all.toLowerCase(), name.toLowerCase()))
      return `the name “${name}” is in none of the cited items`;
  }
  return null;
};

/** Lines of evidence that were looked up for a question, whose own words a few plain words may tell again. */
const linesOf = (cited: readonly Item[]): string => {
  const probes = new Set(cited.filter(({ kind }) => kind === 'probe').map(({ id }) => id));
  return cited
    .filter(({ of }) => of !== undefined && probes.has(of))
    .map(({ text }) => text.toLowerCase())
    .join('\n');
};

const HAN_RUN = 6;

/** Whether a sentence in Chinese has a run of characters from a text that somebody else wrote. */
const repeatsChinese = (text: string, untrusted: string): boolean =>
  (text.match(/\p{Script=Han}{6,}/gu) ?? []).some((run) =>
    [...run].some(
      (_, at, chars) => at + HAN_RUN <= chars.length && untrusted.includes(chars.slice(at, at + HAN_RUN).join('')),
    ),
  );

/**
 * Why a claim says something of its own, or something that only somebody else says: whoever writes a log could have a
 * sentence of theirs said again. Names in backticks count as one word that is shared.
 */
const borrowedProblem = (text: string, { cited, untrusted }: Ground): string | null => {
  if (isChinese(text))
    return repeatsChinese(text.replace(SPAN, ' '), untrusted) ? 'it says again what evidence says' : null;
  const said = weightyWords(text.replace(SPAN, ' '));
  const lines = linesOf(cited);
  const titles = cited.filter(({ kind }) => kind === 'probe').map(({ text }) => text);
  const there = new Set(weighty([rulesOf(cited), ...titles].join('\n')));
  const names = /`[^`]+`/.test(text) ? 1 : 0;
  const observed = (word: string) => lines.includes(OBSERVING_WORDS.get(word) ?? '\n\n');
  const shared = said.filter((word) => there.has(stem(word)) || observed(word)).length + names;
  const all = said.length + names;
  return all === 0 || shared / all < LEAST_SHARED ? 'little of it is in the cited items' : null;
};

/**
 * Why a claim may not be shown, as a clause, or null when everything in it is covered by what it cites. Pure. It errs on the
 * side of dropping: a sentence that is lost costs little, one that is wrong costs a night.
 */
export const claimProblem = (text: string, ground: Ground): string | null => {
  if (text.trim() === '' || text.length > MOST_LENGTH) return 'it is empty or too long';
  if (/[\p{Cc}\p{Cf}]/u.test(text.replace(/\n/g, ' '))) return 'it has characters that cannot be seen';
  if (/[^\P{L}\p{Script=Latin}\p{Script=Han}]/u.test(text)) return 'it has letters of a script that was not asked for';
  if (/<[!@#]|@(?:channel|here|everyone)\b/.test(text)) return 'it calls people';
  if (/https?:\/\/|\]\(|\bwww\./i.test(text)) return 'it has an address';
  return factsProblem(text, ground) ?? wordsProblem(text, ground) ?? borrowedProblem(text, ground);
};
