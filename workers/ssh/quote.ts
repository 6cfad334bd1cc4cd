/**
 * `text` as one word of a POSIX shell, whatever it holds. Throws TypeError for a NUL character, which neither a shell word
 * nor an argv can carry (execve(2)).
 */
export const quoteWord = (text: string): string => {
  if (text.includes('\0')) throw new TypeError('an argument cannot hold a NUL character');
  return `'${text.replaceAll("'", `'\\''`)}'`;
};

/** `words` as one line of shell, each quoted. */
export const quoteLine = (words: readonly string[]): string => words.map(quoteWord).join(' ');
