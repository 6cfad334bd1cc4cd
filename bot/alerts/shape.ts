import { type Alert, Notice, Severity } from './notice.ts';

/** Most labels, or annotations, of one alert. */
const MOST_WORDS = 64;
const LONGEST_NAME = 200;
const LONGEST_VALUE = 4_000;
/** Most characters of all labels, or annotations, of one alert; and of all alerts of a notice together. */
const MOST_CHARACTERS = 8_000;
const MOST_IN_ALERTS = 32_000;
const MOST_ALERTS = 200;
const LONGEST_TITLE = 500;

/** A lone surrogate would not survive the way through UTF-8. */
const wellFormed = (text: string): string => text.replace(/\p{Cs}/gu, '\ufffd');

/** Text of at most so many characters that says how much of it was cut. Control characters stay: who shows it marks them. */
export const cut = (text: string, longest: number): string => {
  if (text.length <= longest) return wellFormed(text);
  const says = ` … (cut, ${text.length.toLocaleString('en-US')} characters in all)`;
  return `${wellFormed(text.slice(0, Math.max(0, longest - says.length)))}${says}`.slice(0, longest);
};

/** The name under which a set of labels says that there were more. No source has such a label. */
export const LEFT_OUT = '…';

/**
 * Labels or annotations: so many, and none longer than the schema has room for. What is left out is said. Of several with one
 * name the first counts: what a source itself says stands before what passes through it.
 */
export const words = (given: Iterable<readonly [string, string]>): Record<string, string> => {
  const kept = new Map<string, string>();
  let left = MOST_CHARACTERS;
  let more = 0;
  for (const [name, value] of given) {
    if (kept.has(name)) continue;
    const room = left - Math.min(name.length, LONGEST_NAME);
    // `__proto__` would not survive being read again.
    if (kept.size >= MOST_WORDS || room < 100 || name === '__proto__') more += 1;
    else {
      const text = cut(value, Math.min(LONGEST_VALUE, room));
      kept.set(cut(name, LONGEST_NAME), text);
      left = room - text.length;
    }
  }
  if (more > 0) kept.set(LEFT_OUT, `${more} more were left out`);
  return Object.fromEntries(kept);
};

const SEVERITIES: Readonly<Record<string, Severity>> = {
  critical: 'critical',
  crit: 'critical',
  fatal: 'critical',
  emergency: 'critical',
  page: 'critical',
  disaster: 'critical',
  p1: 'critical',
  sev1: 'critical',
  error: 'error',
  err: 'error',
  high: 'error',
  major: 'error',
  p2: 'error',
  sev2: 'error',
  warning: 'warning',
  warn: 'warning',
  medium: 'warning',
  minor: 'warning',
  low: 'warning',
  p3: 'warning',
  sev3: 'warning',
  info: 'info',
  informational: 'info',
  notice: 'info',
  debug: 'info',
  none: 'info',
  p4: 'info',
  p5: 'info',
};

/** What a source calls a severity, in our words; `unknown` for what is none of them. */
export const severityOf = (text: string | null | undefined): Severity => {
  const name = (text ?? '').trim().toLowerCase().slice(0, 40);
  return Object.hasOwn(SEVERITIES, name) ? (SEVERITIES[name] ?? 'unknown') : 'unknown';
};

/** The worst of several; `unknown` when there is none. */
export const worstOf = (severities: readonly Severity[]): Severity =>
  Severity.options.find((each) => severities.includes(each)) ?? 'unknown';

/** The last moment that a Date can be. */
const LAST_MS = 8_640_000_000_000_000;

/**
 * A time as sources write it (RFC 3339, or milliseconds or seconds since 1970) in milliseconds; null for what is none, and for
 * the year 1, which is how Go writes that there is none.
 */
export const timeOf = (given: string | number | null | undefined): number | null => {
  if (given === null || given === undefined || given === '') return null;
  const number = typeof given === 'number' ? given : /^\d{1,16}(?:\.\d+)?$/.test(given) ? Number(given) : null;
  // Seconds until the year 5138, milliseconds since March 1973.
  const at = number === null ? Date.parse(String(given).slice(0, 60)) : number < 1e11 ? number * 1_000 : number;
  return Number.isFinite(at) && at > 0 && at < LAST_MS ? Math.round(at) : null;
};

/** The first of these that is an address on the web, or null. */
export const urlOf = (...given: readonly (string | null | undefined)[]): string | null => {
  for (const each of given) {
    const url = Notice.shape.url.safeParse(each).data;
    if (typeof url === 'string') return url;
  }
  return null;
};

/** The first of these that has text in it, in one line; at most as long as a title is. It is cut first: it may be a megabyte. */
export const titleOf = (...given: readonly (string | null | undefined)[]): string => {
  const lines = given.map((each) => cut((each ?? '').trim(), LONGEST_TITLE).replace(/\s+/gu, ' '));
  return lines.find((each) => each !== '') ?? 'Alert';
};

const sizeOf = ({ labels, annotations }: Alert): number =>
  [labels, annotations]
    .flatMap((each) => Object.entries(each))
    .reduce((sum, [name, value]) => sum + name.length + value.length, 0);

/** As many alerts as a notice has room for, those that fire first, and how many others there are. */
export const fewer = (alerts: readonly Alert[], more = 0): { alerts: Alert[]; more: number } => {
  const kept: Alert[] = [];
  let size = 0;
  for (const alert of [...alerts].sort((a, b) => Number(a.status === 'resolved') - Number(b.status === 'resolved'))) {
    size += sizeOf(alert);
    if (kept.length > 0 && (kept.length >= MOST_ALERTS || size > MOST_IN_ALERTS)) break;
    kept.push(alert);
  }
  return { alerts: kept, more: alerts.length - kept.length + more };
};
