/** What Slack and keyboards do to typed words, undone; and what was probably meant. */

/** Slack's markup for things it recognised in a text: `<http://web-7|web-7>`, `<@U123|bob>`, `<mailto:x|x>`. */
const LINK = /<([^<>|]*)(?:\|([^<>]*))?>/g;

const unescapeEntities = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

/** The words of a typed text: links as they were typed, formatting marks and typographic quotes around words gone. */
export const wordsOf = (text: string): string[] =>
  unescapeEntities(
    text.replace(LINK, (_whole, address: string, label: string | undefined) =>
      /^[@#!]/.test(address)
        ? ` <${address}> `
        : (label ?? address.replace(/^(?:https?:\/\/|mailto:|tel:)/, '').replace(/\/$/, '')),
    ),
  )
    .split(/[\s\u00a0\u2000-\u200b\u202f\u3000\ufeff]+/)
    // Some keyboards make long dashes of hyphens.
    .map((word) => word.replace(/[\u2010-\u2015\u2212]/g, '-'))
    .map((word) => word.replace(/^[`*_~"'“”„‘’«»]+|[`*_~"'“”„‘’«»]+$/g, ''))
    .filter((word) => word !== '');

/** How many letters have to be put in, taken out, changed or swapped with their neighbour to make one word the other. */
export const distance = (a: string, b: string): number => {
  const rows = [...Array(a.length + 1)].map((_, i) =>
    [...Array(b.length + 1)].map((__, j) => (i === 0 ? j : j === 0 ? i : 0)),
  );
  const at = (i: number, j: number) => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i += 1) {
    for (let j = 1; j <= b.length; j += 1) {
      const change = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, at(i - 2, j - 2) + 1);
      const row = rows[i];
      if (row !== undefined) row[j] = least;
    }
  }
  return at(a.length, b.length);
};

const MAX_WORD = 64;

/** Up to `count` names that are near to a word, nearest first: a few letters off, or beginning alike. */
export const nearest = (word: string, names: readonly string[], count = 3): string[] => {
  const wanted = word.toLowerCase().slice(0, MAX_WORD);
  if (wanted === '') return [];
  const allowed = Math.max(1, Math.floor(wanted.length / 3));
  return names
    .map((name) => {
      const letters = name.toLowerCase().slice(0, MAX_WORD);
      const begins = wanted.length >= 2 && (letters.startsWith(wanted) || wanted.startsWith(letters));
      return { name, away: Math.min(distance(wanted, letters), begins ? 1 : Number.POSITIVE_INFINITY) };
    })
    .filter(({ away }) => away <= allowed)
    .sort((one, other) => one.away - other.away || one.name.localeCompare(other.name))
    .slice(0, count)
    .map(({ name }) => name);
};

/** A person's own word in an answer to them: harmless in mrkdwn, bounded, in quotes. */
export const quoted = (word: string): string => {
  const shown = word.replace(/[\p{C}`<>&*_~]/gu, '?');
  return `“${shown.length > 60 ? `${shown.slice(0, 59).replace(/[\ud800-\udbff]$/, '')}…` : shown}”`;
};
