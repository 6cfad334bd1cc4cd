import { type Log, withoutSecrets } from '../log.ts';

const isLate = (error: unknown): boolean =>
  error instanceof Error &&
  'library' in error &&
  error.library === 'SSL routines' &&
  'code' in error &&
  String(error.code).startsWith('ERR_SSL_');

/**
 * Keeps a word of TLS from ending the program that comes for a connection which has failed already: ioredis listens to one error
 * of each connection, and Node.js reports OpenSSL's alerts one by one (a server that refuses a client certificate may send
 * two). Everything else that nobody has caught ends the program, as it does without this. Returns what takes it back.
 */
export const ignoreLateAlerts = (log: Log): (() => void) => {
  const hear = (error: unknown): void => {
    if (isLate(error)) {
      log.debug({ error: String(error) }, 'word of TLS for a connection that has failed already');
      return;
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`${withoutSecrets(text)}\n`);
    process.exit(1);
  };
  process.on('uncaughtException', hear);
  return () => void process.off('uncaughtException', hear);
};
