import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { NotBelieved, Way } from './source.ts';

/** How far a signed time may be from the bot's clock, either way, ms. */
export const CLOCK_MS = 5 * 60_000;

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Whether two texts are the same, in a time that does not tell where they differ or how long they are. */
export const same = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other));

/** Whether any of these is the text. All are compared, so that the time does not tell which it was. */
const anySame = (texts: readonly string[], given: string): boolean =>
  texts.map((text) => same(text, given)).includes(true);

const header = (value: string | string[] | undefined): string => (typeof value === 'string' ? value : '');

const refused = (sentence: string): NotBelieved => ({ status: 403, sentence });
const nothing = (sentence: string): NotBelieved => ({ status: 401, sentence });

/** `Authorization: Bearer SECRET` (RFC 6750). */
export const bearer: Way = {
  headers: ['authorization'],
  reads: 'headers',
  check: ({ headers }, { secrets }) => {
    const token = /^Bearer +([^\s]+) *$/i.exec(header(headers.authorization))?.[1];
    if (token === undefined) return nothing('The header Authorization has no bearer token.');
    return anySame(secrets, token) ? null : refused('The bearer token is not the one that is expected.');
  },
};

/** `Authorization: Basic …` with user and secret (RFC 7617). */
export const basic: Way = {
  headers: ['authorization'],
  reads: 'headers',
  check: ({ headers }, { secrets, user }) => {
    const packed = /^Basic +([A-Za-z0-9+/_-]+=*) *$/i.exec(header(headers.authorization))?.[1];
    const [, given = '', password = ''] =
      /^([^:]*):(.*)$/s.exec(Buffer.from(packed ?? '', 'base64').toString('utf8')) ?? [];
    if (packed === undefined) return nothing('The header Authorization has no user and password (basic).');
    const known = [user === undefined || same(user, given), anySame(secrets, password)];
    return known.includes(false) ? refused('User or password is not the one that is expected.') : null;
  },
};

/** The secret itself in a header of its own, for sources that can add headers and nothing else. */
export const secretHeader = (name: string): Way => ({
  headers: [name.toLowerCase()],
  reads: 'headers',
  check: ({ headers }, { secrets }) =>
    anySame(secrets, header(headers[name.toLowerCase()])) ? null : refused(`${name} is not the one that is expected.`),
});

/** Whether one of `given` is the HMAC-SHA256, in hexadecimal digits, of the parts under one of the secrets. */
const signed = (
  parts: readonly (string | Uint8Array)[],
  secrets: readonly string[],
  given: readonly string[],
): boolean => {
  const expected = secrets.map((secret) => {
    const hmac = createHmac('sha256', secret);
    for (const part of parts) hmac.update(part);
    return hmac.digest('hex');
  });
  return given.map((each) => anySame(expected, each.toLowerCase())).includes(true);
};

/** Why a time in seconds since 1970 is not now, or null. */
export const notNow = (name: string, text: string, now: number): string | null => {
  if (!/^\d{1,12}$/.test(text)) return `${name} is no time in seconds since 1970.`;
  const behind = now - Number(text) * 1_000;
  if (behind > CLOCK_MS) return `${name} is older than five minutes: send it again with a new time, or set the clock.`;
  return behind < -CLOCK_MS ? `${name} is more than five minutes in the future: set the clock.` : null;
};

/** At most so many signatures are compared: a source sends one for each of its secrets. */
const MOST_SIGNATURES = 10;

/**
 * HMAC-SHA256 over the body, or over a time, a separator and the body. `prefix` stands before each signature; several are
 * divided by commas. A time that is not signed stops only a careless repetition.
 */
export const hmac = (options: {
  /** The first one that is there counts. */
  readonly signature: readonly string[];
  readonly prefix?: string;
  readonly time?:
    | { readonly header: string; readonly separator: string }
    | { readonly header: string; readonly unsigned: true };
}): Way => {
  const { signature, prefix = '', time } = options;
  const [first = ''] = signature;
  return {
    headers: [...(signature.length === 1 ? [first] : []), ...(time === undefined ? [] : [time.header])].map((each) =>
      each.toLowerCase(),
    ),
    reads: 'body',
    check: ({ body, headers, now }, { secrets }) => {
      const name = signature.find((each) => headers[each.toLowerCase()] !== undefined) ?? first;
      const given = header(headers[name.toLowerCase()])
        .split(',', MOST_SIGNATURES)
        .map((each) => each.trim())
        .filter((each) => each.startsWith(prefix))
        .map((each) => each.slice(prefix.length));
      if (given.every((each) => each === ''))
        return nothing(`${name} has no signature${prefix === '' ? '' : ` ${prefix}…`}.`);
      const at = time === undefined ? '' : header(headers[time.header.toLowerCase()]);
      const parts = time === undefined || 'unsigned' in time ? [body] : [at, time.separator, body];
      if (!signed(parts, secrets, given)) return refused(`${name} does not fit the body: is it the right secret?`);
      const late = time === undefined ? null : notNow(time.header, at, now);
      return late === null ? null : refused(late);
    },
  };
};
