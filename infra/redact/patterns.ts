/** Where a secret is known by what stands before it. Lines are looked at one by one. */
export interface Pattern {
  /** Lower-case words of which a line must have one before the pattern is tried: that is what makes redaction fast. */
  readonly hints: readonly string[];
  /** Global. The first group stays, the last goes. */
  readonly regex: RegExp;
  /** Whether what the last group holds is one after all. */
  readonly holds?: (secret: string) => boolean;
}

/** Names whose values are secrets, in `key=value`, `key: value`, `--key value` and JSON alike. */
const WORDS = String.raw`passw(?:or)?d|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|signature|credential|auth(?!ors?\b)(?:orization)?|cookie|session[_-]?id|dsn`;
const KEY = `[A-Za-z0-9_.-]{0,40}(?:${WORDS})[A-Za-z0-9_.-]{0,20}`;
/** A quote as it is, or as strace and JSON in JSON write it. */
const QUOTE = String.raw`(?:\\{0,3}["'])`;
/** In quotes, in escaped quotes (with quotes that are escaped once more inside), or up to where words end. */
const VALUE = String.raw`\\"(?:\\{3}"|[^"\\\n]|\\[^"\n]){1,4096}(?:\\")?|"(?:[^"\\\n]|\\.){1,4096}"?|'(?:[^'\\\n]|\\.){1,4096}'?|[^\s"',;&)\]}<>\\]{1,4096}`;

const KEY_HINTS = [
  'passw',
  'passphrase',
  'pwd',
  'secret',
  'token',
  'key',
  'signature',
  'credential',
  'auth',
  'cookie',
  'session',
  'dsn',
];

/** An instance of a template (systemd.unit(5)), `shop@blue.service`: it looks like an address, and no such domain exists. */
const UNIT = /\.(?:service|scope|slice|socket|timer|mount)$/;

/** Whether the digits of a text end in the check digit that card numbers have (ISO/IEC 7812-1, annex B). */
const luhn = (text: string): boolean => {
  const digits = [...text].filter((char) => /\d/.test(char)).reverse();
  const sum = digits.reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 0 ? 1 : 2);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
};

export const PATTERNS: readonly Pattern[] = [
  // https://user:password@host, redis://:password@host
  { hints: ['://'], regex: /(\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/@"']{0,128}:)([^\s/@"']{1,512})(?=@)/gi },
  {
    hints: ['authorization'],
    regex:
      /(\bauthorization\\{0,3}["']?\s{0,4}[:=]\s{0,4}\\{0,3}["']?(?:basic|bearer|token|digest|negotiate)\s{1,4})([^\s"',;\\]{4,4096})/gi,
  },
  { hints: ['bearer'], regex: /(\bbearer\s{1,4})([A-Za-z0-9._~+/=-]{8,4096})/gi },
  {
    hints: ['cookie'],
    regex: /(\b(?:set-)?cookie\\{0,3}["']?\s{0,4}[:=]\s{0,4}\\{0,3}["']?)([^\n"'\\]{4,4096})/gi,
  },
  {
    hints: KEY_HINTS,
    regex: new RegExp(String.raw`((?<![A-Za-z0-9_.-])${KEY}${QUOTE}?\s{0,4}[=:]\s{0,4})(${VALUE})`, 'gi'),
  },
  { hints: KEY_HINTS, regex: new RegExp(`((?<![A-Za-z0-9_.-])--?${KEY}[ =])(${VALUE})`, 'gi') },
  // Arguments as a list: "--password", "s3cret"
  {
    hints: KEY_HINTS,
    regex: new RegExp(`((?<![A-Za-z0-9_.-])--?${KEY}${QUOTE},\\s{0,4})(${QUOTE}[^"'\\\\\\n]{1,4096})`, 'gi'),
  },
  // ~/.netrc
  { hints: ['login'], regex: /(\blogin\s{1,8}[^\s"']{1,256}\s{1,8}password\s{1,8})([^\s"']{1,256})/gi },
  { hints: ['identified by'], regex: /(\bidentified\s{1,8}by\s{1,8})('[^'\n]{1,256}'|"[^"\n]{1,256}")/gi },
  // curl -u user:password, and mysql's -pPASSWORD, which has no space
  { hints: ['curl', '--user'], regex: /((?:\s|")(?:-u|--user)["']?[ =,]{1,2}["']?[^\s:"']{1,128}:)([^\s"']{1,256})/gi },
  { hints: ['mysql', 'mariadb'], regex: /(\b(?:mysql|mariadb)[^\n]{0,400}?[\s"']-p)([^\s"'-][^\s"']{0,256})/gi },
  { hints: ['xox', 'xapp-'], regex: /()(\bxox[abeprs]-[A-Za-z0-9-]{8,256}|\bxapp-[A-Za-z0-9-]{8,256})/g },
  { hints: ['akia', 'asia'], regex: /()(\bAKIA[0-9A-Z]{16}\b|\bASIA[0-9A-Z]{16}\b)/g },
  {
    hints: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat_', 'glpat-'],
    regex: /()(\bgh[pousr]_[A-Za-z0-9]{20,255}\b|\bgithub_pat_[A-Za-z0-9_]{20,255}\b|\bglpat-[A-Za-z0-9_-]{20,64}\b)/g,
  },
  { hints: ['sk-', '_live_'], regex: /()(\bsk-[A-Za-z0-9_-]{20,255}\b|\b[rs]k_live_[A-Za-z0-9]{16,255}\b)/g },
  // A JSON web token, or the beginning of one that strace cut.
  { hints: ['eyj'], regex: /()(\beyJ[A-Za-z0-9_-]{16,4096}(?:\.[A-Za-z0-9_-]{0,4096}){0,4})/g },
  { hints: ['private key-----'], regex: /()(-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^\n]{0,16384})/g },
  {
    hints: ['@'],
    regex: /()(\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}\b)/g,
    holds: (text) => !UNIT.test(text),
  },
  // Card numbers of 15 and 16 digits, by the first digits of the large networks; their last digit is a check.
  {
    hints: [],
    regex:
      /()(?<![\d.:/x-])((?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6011|65\d\d|35\d\d)([ -]?)\d{4}\3\d{4}\3\d{4}|3[47]\d\d([ -]?)\d{6}\4\d{5})(?![\d.:/-])/g,
    holds: luhn,
  },
];

/**
 * Arguments that stand on a line each: an option that names a secret, and the secret on the next one. The first group stays, the
 * second goes.
 */
export const ARGUMENT_LINES = new RegExp(
  String.raw`(^argument \d{1,6}: (?:--?${KEY}\nargument \d{1,6}: |(?:-u|--user)\nargument \d{1,6}: [^\s:]{1,128}:))([^\n]{1,4096})`,
  'gim',
);

/** Values that say nothing and hide much when replaced: `password=None`, `token=0x7f…` in C frames. */
const HARMLESS =
  /^(?:["']?(?:none|null|true|false|nil|yes|no|bearer|basic|digest|token)["']?|0x[0-9a-f]+|<[a-z ]+>|\d{1,3}|\*+|["']{2})$/i;

/** `token.py:1024` is a place in a file, not a key and its value. */
const isLineNumber = (keep: string, value: string): boolean =>
  /\.\w{1,4}:$/.test(keep) && /^\d+(?:-\d+)?[`.,;]*$/.test(value);

/** Whether something that looks like a secret by its place is none. */
export const isHarmless = (keep: string, value: string): boolean =>
  HARMLESS.test(value) || isLineNumber(keep, value) || /^\\{0,3}["']?\[redacted-\d+/.test(value);
