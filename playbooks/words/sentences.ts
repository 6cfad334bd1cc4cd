/** A sentence and the white space after it. */
export interface Sentence {
  readonly text: string;
  readonly space: string;
}

const CLOSING: Readonly<Record<string, string>> = { '`': '`', '"': '"', '“': '”' };
const ABBREVIATION = /(?:^|[\s(])(?:e\.g|i\.e|vs|etc|approx|cf)\.$/;
const SPACE = new Set([' ', '\n', '\t', '\r']);

/**
 * Cuts a text after each full stop, exclamation or question mark that white space follows, and at line ends; not inside code
 * spans and quotation marks that are closed. The pieces put together are the text. Linear.
 */
export const sentencesOf = (text: string): Sentence[] => {
  const sentences: Sentence[] = [];
  // A mark that is not closed from here on is not closed further on either.
  const unclosed = new Set<string>();
  let start = 0;
  let at = 0;
  const cut = (end: number): number => {
    let next = end;
    while (SPACE.has(text.charAt(next))) next++;
    sentences.push({ text: text.slice(start, end), space: text.slice(end, next) });
    start = next;
    return next;
  };
  while (at < text.length) {
    const character = text.charAt(at);
    const closing = CLOSING[character];
    if (closing !== undefined && !unclosed.has(closing)) {
      const close = text.indexOf(closing, at + 1);
      if (close !== -1) {
        at = close + 1;
        continue;
      }
      unclosed.add(closing);
    }
    if (character === '\n') {
      at = cut(at);
      continue;
    }
    at++;
    if (!'.!?'.includes(character) || !SPACE.has(text.charAt(at))) continue;
    if (character === '.' && ABBREVIATION.test(text.slice(Math.max(start, at - 8), at))) continue;
    at = cut(at);
  }
  if (start < text.length) sentences.push({ text: text.slice(start), space: '' });
  return sentences;
};
