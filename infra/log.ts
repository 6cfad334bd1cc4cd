import { AsyncLocalStorage } from 'node:async_hooks';
import { pino } from 'pino';

/** What the rooms need of a logger; pino's own shape, so that a test can pass its own. */
export interface Log {
  readonly debug: (fields: object, message: string) => void;
  readonly info: (fields: object, message: string) => void;
  readonly warn: (fields: object, message: string) => void;
  readonly error: (fields: object, message: string) => void;
}

const WORDS = '(?:password|passwd|passphrase|secret|token|api[-_]?key|private[-_]?key|credentials?)';

/**
 * Slack tokens (`xoxb-…`, `xapp-…`), keys of OpenAI's form, and passwords inside URLs, wherever they stand in a text; what
 * follows a word for a secret, as command lines, headers, environments and JSON have it.
 */
const SECRETS = new RegExp(
  [
    /\bx(?:ox[a-z]|app)-[A-Za-z0-9-]+/,
    /\bsk-[A-Za-z0-9_-]{16,}/,
    /(?<=:\/\/[^\s/@:]{0,200}:)[^\s/@]+(?=@)/,
    /(?<=\b(?:Bearer|Basic) )[\w.~+/=-]{8,}/,
    new RegExp(`(?<=\\b(?:\\w{0,40}[-_])?${WORDS}\\\\?["']? ?[=:] ?\\\\?["']?)(?![=: ])[^\\s"'\\\\,;&]{4,}`),
    new RegExp(`(?<=(?:^|[\\s"'])--?(?:[\\w-]{0,40}-)?${WORDS} ["']?)[^\\s"'\\\\-][^\\s"'\\\\]{3,}`),
  ]
    .map(({ source }) => source)
    .join('|'),
  'gi',
);

/** `text` with everything that looks like a credential replaced, for logs and error sentences. */
export const withoutSecrets = (text: string): string => text.replace(SECRETS, '[secret]');

const active = new AsyncLocalStorage<object>();

/** Runs `work`, and everything that it begins, with these fields in each line of the log. */
export const withLogFields = <T>(fields: object, work: () => T): T =>
  active.run({ ...active.getStore(), ...fields }, work);

/**
 * Opens the program's log: one JSON object a line on standard error, so that standard output stays for reports.
 * Every line is cleaned of credentials after it has been put together, whichever field they came in.
 */
export const openLog = (level: 'debug' | 'info' | 'warn' | 'error' | 'silent'): Log =>
  pino(
    { level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime, mixin: () => ({ ...active.getStore() }) },
    { write: (line: string) => void process.stderr.write(withoutSecrets(line)) },
  );

/** A log that keeps nothing. */
export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
