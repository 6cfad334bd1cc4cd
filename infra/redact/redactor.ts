import { RE2JS } from 're2js';
import { ARGUMENT_LINES, isHarmless, PATTERNS } from './patterns.ts';

/**
 * Takes secrets out of everything that leaves the worker. The same secret gets the same placeholder within a look, so
 * that two quotes of it can still be seen to be the same. Works line by line: the numbers of lines do not change.
 */
export interface Redactor {
  /** Any number of lines. */
  readonly text: (text: string) => string;
  /** How many different secrets were replaced so far. */
  readonly count: () => number;
}

/** What a site adds. */
export interface SiteRules {
  /** Regular expressions in RE2's syntax, which no text can make slow. What they match goes; with a group, only the group. */
  readonly patterns: readonly string[];
  /** Texts that are no secrets whatever they look like, literally. */
  readonly exempt: readonly string[];
}

/** Of a site that says nothing. */
export const NO_SITE_RULES: SiteRules = { patterns: [], exempt: [] };

const escapeRegex = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

/** One expression for all known secrets, the longest first, so that none is replaced only in part. */
const knownRegex = (known: ReadonlySet<string>): RegExp | null =>
  known.size === 0
    ? null
    : new RegExp(
        [...known]
          .sort((a, b) => b.length - a.length)
          .map(escapeRegex)
          .join('|'),
        'g',
      );

/** One look through a text for all hints at once. */
const ANY_HINT = new RegExp([...new Set(PATTERNS.flatMap(({ hints }) => hints))].map(escapeRegex).join('|'), 'g');
const WITHOUT_HINTS = PATTERNS.filter(({ hints }) => hints.length === 0);

/** About so many characters are looked through for hints at once. */
const CHUNK = 64 * 1024;

/** The ends of pieces of about CHUNK characters, each at the end of a line. */
const pieces = function* (text: string): Generator<string> {
  for (let from = 0; from < text.length; ) {
    const newline = from + CHUNK >= text.length ? -1 : text.indexOf('\n', from + CHUNK);
    const to = newline < 0 ? text.length : newline + 1;
    yield text.slice(from, to);
    from = to;
  }
};

/**
 * A new redactor, with its own placeholders. `known` are secrets that are replaced wherever they stand (see scan.ts).
 * Throws for a site's pattern that is none.
 */
export const redactor = (known: ReadonlySet<string> = new Set(), site: SiteRules = NO_SITE_RULES): Redactor => {
  const placeholders = new Map<string, string>();
  const exempt = new Set(site.exempt);
  const literal = knownRegex(known);
  const own = site.patterns.map((pattern) => RE2JS.compile(pattern));

  const placeholder = (secret: string): string => {
    const bare = secret.replace(/^\\{0,3}["']|\\{0,3}["']$/g, '');
    let name = placeholders.get(bare);
    if (name === undefined) {
      name = `[redacted-${placeholders.size + 1}]`;
      placeholders.set(bare, name);
    }
    return name;
  };

  const isExempt = (secret: string): boolean =>
    exempt.size > 0 && exempt.has(secret.replace(/^\\{0,3}["']|\\{0,3}["']$/g, ''));

  const byHints = (line: string): string => {
    const lower = line.toLowerCase();
    let output = line;
    for (const { hints, regex, holds } of PATTERNS) {
      if (hints.length > 0 && !hints.some((hint) => lower.includes(hint))) continue;
      output = output.replace(regex, (whole: string, keep: string, secret: string) =>
        isHarmless(keep, secret) || isExempt(secret) || holds?.(secret) === false ? whole : keep + placeholder(secret),
      );
    }
    return output;
  };

  const bySite = (line: string): string => {
    let output = line;
    for (const pattern of own) {
      const matcher = pattern.matcher(output);
      let done = '';
      let from = 0;
      while (matcher.find()) {
        const group = matcher.groupCount() > 0 && matcher.group(1) !== null ? 1 : 0;
        const [start, end] = [matcher.start(group), matcher.end(group)];
        const secret = output.slice(start, end);
        if (end <= start || isExempt(secret) || /^\[redacted-\d+/.test(secret)) continue;
        done += output.slice(from, start) + placeholder(secret);
        from = end;
      }
      output = done + output.slice(from);
    }
    return output;
  };

  const inLine = (line: string): string => bySite(byHints(line));

  /** Only lines that have some hint are looked at closely; most of a trace has none. */
  const inPiece = (piece: string): string => {
    const whole =
      literal === null ? piece : piece.replace(literal, (secret) => (isExempt(secret) ? secret : placeholder(secret)));
    const lower = whole.toLowerCase();
    // Some letters are two in lower case: then places in one are no places in the other.
    if (own.length > 0 || lower.length !== whole.length || WITHOUT_HINTS.some(({ regex }) => whole.search(regex) >= 0))
      return whole.split('\n').map(inLine).join('\n');
    let done = '';
    let from = 0;
    ANY_HINT.lastIndex = 0;
    for (let hit = ANY_HINT.exec(lower); hit !== null; hit = ANY_HINT.exec(lower)) {
      const start = whole.lastIndexOf('\n', hit.index) + 1;
      const newline = whole.indexOf('\n', hit.index);
      const end = newline < 0 ? whole.length : newline;
      done += whole.slice(from, start) + inLine(whole.slice(start, end));
      from = end;
      ANY_HINT.lastIndex = end;
    }
    return done + whole.slice(from);
  };

  const inArguments = (text: string): string =>
    text.includes('argument ')
      ? text.replace(ARGUMENT_LINES, (whole: string, keep: string, secret: string) =>
          isHarmless(keep, secret) || isExempt(secret) ? whole : keep + placeholder(secret),
        )
      : text;

  return { text: (text) => [...pieces(inArguments(text))].map(inPiece).join(''), count: () => placeholders.size };
};
