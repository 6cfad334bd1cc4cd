import { pino } from 'pino';

/** What the rooms need of a logger; pino's own shape, so that a test can pass its own. */
export interface Log {
  readonly debug: (fields: object, message: string) => void;
  readonly info: (fields: object, message: string) => void;
  readonly warn: (fields: object, message: string) => void;
  readonly error: (fields: object, message: string) => void;
}

/** Slack tokens (`xoxb-…`, `xapp-…`) and passwords inside URLs, wherever they stand in a text. */
const SECRETS = /\bx(?:ox[a-z]|app)-[A-Za-z0-9-]+|(?<=:\/\/[^\s/@]*:)[^\s/@]+(?=@)/g;

/** `text` with everything that looks like a credential replaced, for logs and error sentences. */
export const withoutSecrets = (text: string): string => text.replace(SECRETS, '[secret]');

/**
 * Opens the program's log: one JSON object a line on standard error, so that standard output stays for reports.
 * Every line is cleaned of credentials after it has been put together, whichever field they came in.
 */
export const openLog = (level: 'debug' | 'info' | 'warn' | 'error' | 'silent'): Log =>
  pino(
    { level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime },
    { write: (line: string) => void process.stderr.write(withoutSecrets(line)) },
  );

/** A log that keeps nothing. */
export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
