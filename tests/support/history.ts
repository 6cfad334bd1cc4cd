import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, expect, onTestFinished } from 'vitest';
import { type Database, type OpenDatabase, openDatabase } from '../../infra/history/database.ts';
import type { History } from '../../infra/history/history.ts';
import type { KeptLook } from '../../infra/history/rows.ts';
import type { Place } from '../../infra/history/trouble.ts';
import { silentLog } from '../../infra/log.ts';
import type { StoredFile } from '../../infra/queue/messages.ts';
import type { Report, Request } from '../../playbooks/model/index.ts';
import { headline, verdictOf } from '../../playbooks/report-parts.ts';
import { canPostgres, type Postgres, startPostgres } from './postgres.ts';
import { requestForTest } from './queue.ts';
import { sickReport } from './reports.ts';

/** The two kinds of database that history is kept in; PostgreSQL where it can be started. */
export const KINDS = canPostgres() ? (['postgresql', 'pglite'] as const) : (['pglite'] as const);
export type Kind = (typeof KINDS)[number];

let server: Promise<Postgres> | null = null;
let databases = 0;

/** The server of this test file, started when it is first needed and stopped after the last test. */
export const postgresForFile = (): Promise<Postgres> => {
  server ??= startPostgres();
  return server;
};

export const portOf = ({ tcp }: Postgres): number => Number(/port=(\d+)/.exec(tcp)?.[1]);

export const urlOf = (postgres: Postgres, database: string): string =>
  `postgresql://shop@127.0.0.1:${portOf(postgres)}/${database}`;

/** Asks the server something as its administrator. */
export const asAdmin = async (postgres: Postgres, database: string, statement: string): Promise<void> => {
  const client = new pg.Client(urlOf(postgres, database));
  client.on('error', () => {});
  await client.connect();
  await client.query(statement);
  await client.end();
};

afterAll(async () => {
  await (await server)?.stop();
});

/** A new place for a history, gone after the test. */
export const placeForTest = async (kind: Kind): Promise<Place> => {
  if (kind === 'postgresql') {
    databases += 1;
    const postgres = await postgresForFile();
    const name = `history_${databases}`;
    await asAdmin(postgres, 'postgres', `create database ${name}`);
    return { url: urlOf(postgres, name) };
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-history-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return { folder };
};

/** A database of a kind that the tests of a file share, empty at the beginning of each; closed after the last. */
export const sharedDatabase = (kind: Kind): { readonly forTest: () => Promise<OpenDatabase> } => {
  let opened: OpenDatabase | null = null;
  let folder: string | null = null;
  afterAll(async () => {
    await opened?.close();
    if (folder !== null) rmSync(folder, { recursive: true, force: true });
  });
  return {
    forTest: async () => {
      if (opened === null) {
        let place: Place;
        if (kind === 'pglite') {
          folder = mkdtempSync(path.join(tmpdir(), 'straceback-history-'));
          place = { folder };
        } else place = await placeForTest(kind);
        opened = openDatabase({ place, log: silentLog });
      }
      await opened.use(async (database) => {
        for (const table of TABLES) await database.deleteFrom(table).execute();
      });
      return opened;
    },
  };
};

const TABLES = [
  'evidence',
  'findings',
  'looks',
  'feedback',
  'resolutions',
  'verifications',
  'approvals',
  'audit',
  'channels',
] as const;

/** Works on the database of a history directly; the embedded one only while nobody else has it. */
export const inDatabase = async <T>(place: Place, work: (database: Database) => Promise<T>): Promise<T> => {
  const database = openDatabase({ place, log: silentLog });
  try {
    return await database.use(work);
  } finally {
    await database.close();
  }
};

/** A look as the bot hands it over. */
export const lookForTest = (
  change: Partial<Request> = {},
  report: Report = sickReport,
  more: { files?: StoredFile[]; private?: boolean } = {},
): KeptLook => {
  const request = requestForTest(change);
  const own: Report = {
    ...report,
    id: request.id,
    target: { ...report.target, host: request.host, pid: request.pid },
  };
  return {
    answer: {
      requestId: request.id,
      request,
      outcome: { kind: 'report', report: own },
      files: more.files ?? [],
    },
    headline: headline(own),
    state: verdictOf(own).verdict,
    private: more.private ?? false,
  };
};

/** A Slack origin in a channel and thread. */
export const inThread = (channel: string, threadTs: string): Pick<Request, 'origin'> => ({
  origin: { kind: 'slack', team: 'T1', channel, user: 'U1', threadTs, via: 'command' },
});

/** All that a channel may see, newest first. */
export const listed = (history: History, channel = 'C1', about: string | null = null) =>
  history.list({ about, channel, page: 1, size: 100 });

/** Waits until a history lists so many looks of a channel; one that does not answer yet is asked again. */
export const untilListed = (history: History, count: number, channel = 'C1'): Promise<void> =>
  expect
    .poll(
      () =>
        listed(history, channel).then(
          ({ total }) => total,
          () => -1,
        ),
      { timeout: 60_000 },
    )
    .toBe(count);
