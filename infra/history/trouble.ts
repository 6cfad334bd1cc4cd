import { withoutSecrets } from '../log.ts';

/** History cannot be read or written now. `message` is a sentence for a person, without credentials. */
export class HistoryUnavailable extends Error {
  constructor(sentence: string, cause?: unknown) {
    super(sentence, { cause });
    this.name = 'HistoryUnavailable';
  }
}

/** Where the history is, for sentences: a server by its address, or a folder. */
export type Place = { readonly url: string } | { readonly folder: string };

/** The server of a URL without what is secret in it; a URL that cannot be read is not repeated. */
export const placeName = (place: Place): string => {
  if ('folder' in place) return `the history in ${place.folder}`;
  try {
    const { hostname, port, pathname } = new URL(place.url);
    return `the database ${decodeURIComponent(pathname.slice(1)) || 'of DATABASE_URL'} at ${hostname || 'its local socket'}${port === '' ? '' : `:${port}`}`;
  } catch {
    return 'the database of DATABASE_URL';
  }
};

const codeOf = (error: unknown): string => {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
};

const wordsOf = (error: unknown): string => withoutSecrets(error instanceof Error ? error.message : String(error));

/** Errors whose cause may be an error of the system are as bad as that one: node puts refused addresses into an AggregateError. */
const all = (error: unknown): unknown[] =>
  error instanceof AggregateError
    ? [error, ...error.errors]
    : error instanceof Error && error.cause !== undefined
      ? [error, error.cause]
      : [error];

const DISK_FULL = new Set(['53100', 'ENOSPC', 'EDQUOT']);
const NOT_LET_IN = new Set(['28P01', '28000', '3D000', '42501']);
const AWAY =
  /^(?:08|57|53)|^E(?:CONN|PIPE|HOST|NET|TIMEDOUT|AI_|NOENT|ACCES)|terminat|timeout|not queryable|ended|closed/i;

/**
 * What an error of the database means: null when it is about the data or the statement, else the sentence that says what is
 * wrong with the database itself. Codes: PostgreSQL's manual, appendix A; node's are those of errno(3).
 */
export const troubleOf = (error: unknown, place: Place): HistoryUnavailable | null => {
  if (error instanceof HistoryUnavailable) return error;
  // Redis being away, while evidence is fetched from it, says nothing of the database.
  if (error instanceof Error && error.name === 'QueueUnavailable') return null;
  for (const each of all(error)) {
    const code = codeOf(each);
    const name = placeName(place);
    if (DISK_FULL.has(code) || /no space left on device/i.test(wordsOf(each)))
      return new HistoryUnavailable(`The disk of ${name} is full; history waits until there is room.`, error);
    if (NOT_LET_IN.has(code))
      return new HistoryUnavailable(
        `I am not let into ${name} (${wordsOf(each)}). Check DATABASE_URL and its rights.`,
        error,
      );
    if (AWAY.test(code) || (code === '' && AWAY.test(wordsOf(each))))
      return new HistoryUnavailable(`I do not reach ${name} (${wordsOf(each) || code}).`, error);
  }
  return null;
};
