import { type AuditFilter, auditText, readAudit } from './audit-read.ts';

export const AUDIT_USAGE =
  'straceback audit [--since 2h|7d|2026-11-01] [--host HOST] [--user ID] [--json] [--config FILE]   who did what, from this machine’s audit log';

/** What `straceback audit` was asked for. */
export interface AuditAsked {
  readonly filter: AuditFilter;
  readonly json: boolean;
  readonly config: string | undefined;
}

const UNITS = { m: 60, h: 3_600, d: 86_400, w: 604_800 } as const;

/** A time ago (`90m`, `2h`, `7d`, `4w`) or a date with or without a time, UTC, as ms since 1970; null when it is neither. */
const readSince = (word: string, now: number): number | null => {
  const ago = /^(\d{1,6})([mhdw])$/.exec(word);
  if (ago !== null) return now - Number(ago[1]) * UNITS[ago[2] as keyof typeof UNITS] * 1_000;
  if (!/^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?Z?)?$/.test(word)) return null;
  const at = Date.parse(word.length === 10 ? word : `${word.replace(' ', 'T').replace(/Z$/, '')}Z`);
  return Number.isNaN(at) ? null : at;
};

/** Reads the words after `straceback audit`; a sentence when they make no sense. */
export const readAuditArguments = (words: readonly string[], now = Date.now()): AuditAsked | string => {
  const filter: { since?: number; host?: string; user?: string } = {};
  let json = false;
  let config: string | undefined;
  for (let at = 0; at < words.length; at += 1) {
    const option = words[at];
    if (option === '--json') {
      json = true;
      continue;
    }
    const value = words[at + 1];
    if (!['--since', '--host', '--user', '--config'].includes(option ?? ''))
      return `"${option}" is not understood.\n  ${AUDIT_USAGE}`;
    if (value === undefined) return `${option} needs a value.\n  ${AUDIT_USAGE}`;
    at += 1;
    if (option === '--since') {
      const since = readSince(value, now);
      if (since === null) return `"${value}" is no time: say how long ago (90m, 2h, 7d) or a date (2026-11-01, UTC).`;
      filter.since = since;
    } else if (option === '--host') filter.host = value;
    else if (option === '--user') filter.user = value;
    else config = value;
  }
  return { filter, json, config };
};

/** Prints the lines that were asked for; damaged ones are named on `err`. Returns how many were printed. */
export const printAudit = async (
  folder: string,
  { filter, json }: Pick<AuditAsked, 'filter' | 'json'>,
  { out, err }: { readonly out: (text: string) => void; readonly err: (text: string) => void },
): Promise<number> => {
  let printed = 0;
  for await (const line of readAudit(folder, filter)) {
    if (!line.ok) {
      err(`${line.file}:${line.line}: damaged line\n`);
      continue;
    }
    printed += 1;
    out(`${json ? line.text : auditText(line.entry)}\n`);
  }
  if (printed === 0) err(`No such entries in ${folder}. Bots and workers on other machines keep their own.\n`);
  return printed;
};
