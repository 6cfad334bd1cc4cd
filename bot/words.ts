/** What Slack and keyboards do to typed words, undone; and what was probably meant. */

export { distance, nearest } from '../playbooks/reading/nearest.ts';

/** Slack's markup for things it recognised in a text: `<http://web-7|web-7>`, `<@U123|bob>`, `<mailto:x|x>`. */
const LINK = /<([^<>|]*)(?:\|([^<>]*))?>/g;

/** A selector by a pattern, and the quotes that may stand around it or what follows its colon. */
const PATTERN = /^[`"'“”„‘’«»]*(?:name|unit):/i;
const QUOTES = /^[`"'“”„‘’«»]+|(?<=^[`"'“”„‘’«»]*(?:name|unit):)["'“”„‘’«»]+|[`"'“”„‘’«»]+$/gi;

/** A pattern in quotes, which may have spaces in it: any character stands for each. */
const QUOTED = /\b((?:name|unit):)["'“„‘’«]([^"'“”‘’»\n]{1,200})["'“”‘’»]/gi;

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
    .replace(QUOTED, (_whole, kind: string, pattern: string) => `${kind}${pattern.trim().replace(/\s+/g, '?')}`)
    .split(/[\s\u00a0\u2000-\u200b\u202f\u3000\ufeff]+/)
    // Some keyboards make long dashes of hyphens.
    .map((word) => word.replace(/[\u2010-\u2015\u2212]/g, '-'))
    .map((word) =>
      // The star at the end of a pattern means something.
      PATTERN.test(word) ? word.replace(QUOTES, '') : word.replace(/^[`*_~"'“”„‘’«»]+|[`*_~"'“”„‘’«»]+$/g, ''),
    )
    .filter((word) => word !== '');

/** A person's own word in an answer to them: harmless in mrkdwn, bounded, in quotes. */
export const quoted = (word: string): string => {
  const shown = word.replace(/[\p{C}`<>&*_~]/gu, '?');
  return `“${shown.length > 60 ? `${shown.slice(0, 59).replace(/[\ud800-\udbff]$/, '')}…` : shown}”`;
};
