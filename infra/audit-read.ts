import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { AuditEntry, printable } from './audit.ts';

/** Which lines of the audit log are wanted; what is left out means all. */
export interface AuditFilter {
  /** Milliseconds since 1970. */
  readonly since?: number;
  readonly host?: string;
  readonly user?: string;
}

/** A line that was read, or that it could not be. */
export type AuditLine =
  | { readonly ok: true; readonly entry: AuditEntry; readonly text: string }
  | { readonly ok: false; readonly file: string; readonly line: number };

const MONTH_FILE = /^(\d{4}-\d{2})\.jsonl$/;

const parsed = (text: string): AuditEntry | null => {
  try {
    return AuditEntry.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
};

const isWanted = ({ at, host, user }: AuditEntry, filter: AuditFilter): boolean =>
  (filter.since === undefined || Date.parse(at) >= filter.since) &&
  (filter.host === undefined || host === filter.host) &&
  (filter.user === undefined || user === filter.user);

/**
 * The lines of the audit log in a folder, oldest file first, those that fit. Damaged ones are told as such, whatever is asked
 * for. Throws what reading throws; a folder that is not there has no lines.
 */
export async function* readAudit(folder: string, filter: AuditFilter = {}): AsyncGenerator<AuditLine> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const first = filter.since === undefined ? '' : new Date(filter.since).toISOString().slice(0, 7);
  for (const name of names.sort()) {
    const month = MONTH_FILE.exec(name)?.[1];
    if (month === undefined || month < first) continue;
    let line = 0;
    const lines = createInterface({
      input: createReadStream(path.join(folder, name)),
      crlfDelay: Number.POSITIVE_INFINITY,
    });
    for await (const text of lines) {
      line += 1;
      if (text === '') continue;
      const entry = parsed(text);
      if (entry === null) yield { ok: false, file: name, line };
      else if (isWanted(entry, filter)) yield { ok: true, entry, text };
    }
  }
}

/** An entry as a line for a person. */
export const auditText = (entry: AuditEntry): string => {
  const { at, event, side, machine, request, user, via, host, pid, playbook, probe, impacts, outcome } = entry;
  const what = [playbook, probe].filter((word) => word !== undefined).join('/');
  const words = [
    `${at.slice(0, 19).replace('T', ' ')} UTC`,
    event.padEnd(14),
    user ?? '-',
    host === undefined ? '-' : `${host}${pid === undefined ? '' : ` ${pid}`}`,
    what === '' ? '-' : what,
    ...(impacts === undefined || impacts.length === 0 ? [] : [`[${impacts.join(',')}]`]),
    ...(outcome === undefined ? [] : [outcome]),
    `(${[request, via, `${side}@${machine}`].filter((word) => word !== undefined).join(' ')})`,
  ];
  return printable(words.join('  '));
};
