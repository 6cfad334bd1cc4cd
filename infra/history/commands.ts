import type { Report } from '../../playbooks/model/index.ts';
import type { Log } from '../log.ts';
import { type Database, openDatabase } from './database.ts';
import { exportLooks, readWanted } from './export.ts';
import { type Purged, type Purging, purge, purgeable } from './retention.ts';
import type { HistoryConfig } from './settings.ts';
import { HistoryUnavailable } from './trouble.ts';
import { EXPORT_USAGE, PURGE_USAGE } from './usage.ts';

export interface ExportAsked {
  readonly id: string;
  readonly to: string;
  readonly config: string | undefined;
}

export interface PurgeAsked {
  readonly what: Purging;
  readonly yes: boolean;
  readonly config: string | undefined;
}

/** Reads options with a value; a sentence when something is not one of them. */
const readOptions = (
  words: readonly string[],
  known: readonly string[],
  usage: string,
): { options: Map<string, string>; rest: string[] } | string => {
  const options = new Map<string, string>();
  const rest: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (!word.startsWith('-')) {
      rest.push(word);
      continue;
    }
    if (!known.includes(word)) return `"${word}" is not understood.\n  ${usage}`;
    const value = words[at + 1];
    if (value === undefined) return `${word} needs a value.\n  ${usage}`;
    if (options.has(word)) return `${word} is given twice.\n  ${usage}`;
    options.set(word, value);
    at += 1;
  }
  return { options, rest };
};

/** Reads the words after `straceback export`; a sentence when they make no sense. */
export const readExportArguments = (words: readonly string[]): ExportAsked | string => {
  const read = readOptions(words, ['--to', '--config'], EXPORT_USAGE);
  if (typeof read === 'string') return read;
  const [id, ...more] = read.rest;
  const to = read.options.get('--to');
  if (id === undefined || to === undefined || more.length > 0)
    return `One id and --to FOLDER are wanted.\n  ${EXPORT_USAGE}`;
  return { id, to, config: read.options.get('--config') };
};

const DAY_MS = 24 * 3600 * 1000;

/** Reads the words after `straceback purge`; a sentence when they make no sense. */
export const readPurgeArguments = (words: readonly string[], now = Date.now()): PurgeAsked | string => {
  const yes = words.includes('--yes');
  const others = words.filter((word) => word !== '--yes');
  const read = readOptions(others, ['--older-than', '--host', '--id', '--config'], PURGE_USAGE);
  if (typeof read === 'string') return read;
  const { options, rest } = read;
  const config = options.get('--config');
  const [older, host, id] = [options.get('--older-than'), options.get('--host'), options.get('--id')];
  if (rest.length > 0 || [older, host, id].filter((each) => each !== undefined).length !== 1)
    return `Say what to remove, by one of --older-than, --host and --id.\n  ${PURGE_USAGE}`;
  if (host !== undefined) return { what: { kind: 'host', host }, yes, config };
  if (id !== undefined) return { what: { kind: 'id', id }, yes, config };
  const days = /^(\d{1,5})d$/.exec(older ?? '')?.[1];
  if (days === undefined || Number(days) === 0)
    return `"${older}" is no age: say a number of days, as in --older-than 90d.`;
  return { what: { kind: 'older', than: new Date(now - Number(days) * DAY_MS) }, yes, config };
};

/** Opens the history for one piece of work. Throws HistoryUnavailable. */
const withDatabase = async <T>(
  { place }: Pick<HistoryConfig, 'place'>,
  log: Log,
  work: (database: Database) => Promise<T>,
): Promise<T> => {
  const database = openDatabase({ place, log, statementMs: 600_000 });
  try {
    return await database.use(work);
  } finally {
    await database.close();
  }
};

/** Exports what was asked for. Returns the sentence for the terminal, and whether there was such a look. Throws HistoryUnavailable. */
export const runExport = async (
  { id, to }: ExportAsked,
  config: Pick<HistoryConfig, 'place'>,
  text: (report: Report) => string,
  log: Log,
): Promise<{ readonly found: boolean; readonly said: string }> => {
  const folders = await withDatabase(config, log, (database) => exportLooks(database, readWanted(id), to, text));
  return folders.length === 0
    ? { found: false, said: 'The history has no such look.\n' }
    : { found: true, said: `${folders.join('\n')}\n` };
};

const amount = (number: number, one: string, many = `${one}s`): string => `${number} ${number === 1 ? one : many}`;

const purgedWords = ({ looks, files, bytes, notes, audit }: Purged): string =>
  `${amount(looks, 'look')} with ${amount(files, 'file')} of evidence (${(bytes / 1024 / 1024).toFixed(1)} MiB), ${amount(notes, 'note')} about them, ${amount(audit, 'line')} of audit logs`;

/** Removes, or says what would be removed. Returns the sentence for the terminal. Throws HistoryUnavailable. */
export const runPurge = ({ what, yes }: PurgeAsked, config: Pick<HistoryConfig, 'place'>, log: Log): Promise<string> =>
  withDatabase(config, log, async (database) => {
    const found = yes ? await purge(database, what) : await purgeable(database, what);
    return yes
      ? `Removed: ${purgedWords(found)}. The audit logs' own files stay as they are.\n`
      : `Would be removed: ${purgedWords(found)}. Say --yes to do it.\n`;
  });

/** What a command of the terminal says, and its exit code. */
export interface HistoryRun {
  readonly config: string | undefined;
  readonly run: (
    kept: HistoryConfig,
    text: (report: Report) => string,
    log: Log,
  ) => Promise<{ readonly said: string; readonly code: number }>;
}

/** A database that cannot be used, or a folder that cannot be written, is a sentence and exit code 3. */
const sentence = async (run: () => Promise<{ said: string; code: number }>) => {
  try {
    return await run();
  } catch (error) {
    const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
    if (error instanceof HistoryUnavailable) return { said: `${error.message}\n`, code: 3 };
    if (error instanceof Error && code === 'EEXIST')
      return { said: `There is something in that folder already: ${error.message}\n`, code: 3 };
    throw error;
  }
};

/** Reads `straceback export …` or `straceback purge …`; a sentence when the words make no sense. */
export const historyCommand = (command: 'export' | 'purge', words: readonly string[]): HistoryRun | string => {
  if (command === 'export') {
    const asked = readExportArguments(words);
    if (typeof asked === 'string') return asked;
    const run: HistoryRun['run'] = (kept, text, log) =>
      sentence(async () => {
        const { found, said } = await runExport(asked, kept, text, log);
        return { said, code: found ? 0 : 3 };
      });
    return { config: asked.config, run };
  }
  const asked = readPurgeArguments(words);
  if (typeof asked === 'string') return asked;
  const run: HistoryRun['run'] = (kept, _text, log) =>
    sentence(async () => ({ said: await runPurge(asked, kept, log), code: 0 }));
  return { config: asked.config, run };
};
