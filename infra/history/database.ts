import { Kysely, Migrator, PostgresDialect, type PostgresPool, sql } from 'kysely';
import pg from 'pg';
import type { Log } from '../log.ts';
import { withoutSecrets } from '../log.ts';
import { MIGRATIONS } from './migrations.ts';
import { openPglitePool } from './pglite-pool.ts';
import { SCHEMA, type Tables } from './schema.ts';
import { HistoryUnavailable, type Place, placeName, troubleOf } from './trouble.ts';

export type Database = Kysely<Tables>;

/** Whether history can be kept and read; `why` is a sentence when not. */
export interface HistoryState {
  readonly ok: boolean;
  readonly why: string | null;
}

export interface DatabaseOptions {
  readonly place: Place;
  readonly log: Log;
  /** How long a statement or an attempt to connect may take, ms. Default 30,000 and 5,000. */
  readonly statementMs?: number;
  readonly connectMs?: number;
}

/** A database that may come and go. */
export interface OpenDatabase {
  /** As it was last seen. */
  readonly state: () => HistoryState;
  /**
   * Works on the database; connects and migrates first where that has not been done. Throws HistoryUnavailable when it cannot be
   * reached, used or written; else what `work` throws.
   */
  readonly use: <T>(work: (database: Database) => Promise<T>) => Promise<T>;
  readonly close: () => Promise<void>;
}

/** An own number, so that the locks of others who share the database are others (PostgreSQL's manual, 13.3.5). */
export const LOCKS = { space: 0x57_ac_eb, migrate: 1, retention: 2 } as const;

const openPgPool = ({ statementMs = 30_000, connectMs = 5_000, log }: DatabaseOptions, url: string): PostgresPool => {
  const pool = new pg.Pool({
    connectionString: url,
    max: 4,
    connectionTimeoutMillis: connectMs,
    idleTimeoutMillis: 30_000,
    statement_timeout: statementMs,
    query_timeout: statementMs + 5_000,
    keepAlive: true,
    application_name: 'straceback',
  });
  const noted = (error: Error) => log.debug({ error: withoutSecrets(error.message) }, 'database connection ended');
  pool.on('error', noted);
  // A connection that breaks between two statements of a transaction says so here alone.
  pool.on('connect', (client) => client.on('error', noted));
  return pool;
};

const newer = (place: Place, names: readonly string[]) =>
  new HistoryUnavailable(
    `${placeName(place).replace(/^t/, 'T')} was written by a newer version of Straceback (it has ${names.join(', ')}). Start that version here, or give this one a database of its own.`,
  );

/** The migrations that were run in a database, by name. */
const done = async (database: Database): Promise<string[]> => {
  const { rows } = await sql<{
    there: boolean;
  }>`select to_regclass(${`${SCHEMA}.kysely_migration`}) is not null as there`.execute(database);
  if (rows[0]?.there !== true) return [];
  const names = await database.withSchema(SCHEMA).selectFrom('kysely_migration').select('name').execute();
  return names.map(({ name }) => name);
};

/** Brings a database to this version, one process at a time. Throws HistoryUnavailable for one of a newer version. */
const migrate = async (database: Database, place: Place, log: Log): Promise<void> => {
  const known = Object.keys(MIGRATIONS);
  const missing = async (on: Database): Promise<string[]> => {
    const names = await done(on);
    const unknown = names.filter((name) => !known.includes(name));
    if (unknown.length > 0) throw newer(place, unknown);
    return known.filter((name) => !names.includes(name));
  };
  if ((await missing(database)).length === 0) return;
  await database.connection().execute(async (own) => {
    await sql`select pg_advisory_lock(${sql.lit(LOCKS.space)}, ${sql.lit(LOCKS.migrate)})`.execute(own);
    try {
      const wanted = await missing(own);
      if (wanted.length === 0) return;
      const provider = { getMigrations: async () => ({ ...MIGRATIONS }) };
      const migrator = new Migrator({ db: own, provider, migrationTableSchema: SCHEMA });
      const { error } = await migrator.migrateToLatest();
      if (error !== undefined) throw error;
      log.info({ migrations: wanted }, 'history database is of this version now');
    } finally {
      await sql`select pg_advisory_unlock(${sql.lit(LOCKS.space)}, ${sql.lit(LOCKS.migrate)})`
        .execute(own)
        .catch(() => {});
    }
  });
};

const NOT_YET: HistoryState = { ok: false, why: 'The history has not been opened yet.' };

/** A database at a place. Nothing is opened before it is used. */
export const openDatabase = (options: DatabaseOptions): OpenDatabase => {
  const { place, log } = options;
  let state = NOT_YET;
  let open: Promise<Database> | null = null;
  const ending = new AbortController();
  /** What was open before has to let go of its folder first. */
  let dropping: Promise<void> = Promise.resolve();

  const say = (next: HistoryState) => {
    // Whoever closes it knows that it ends.
    if (ending.signal.aborted) return;
    if (next.ok !== state.ok || next.why !== state.why) {
      if (next.ok) log.info({}, 'history is open');
      else log.warn({}, next.why ?? 'history cannot be used');
    }
    state = next;
  };
  const connect = async (): Promise<Database> => {
    const pool =
      'url' in place
        ? openPgPool(options, place.url)
        : await openPglitePool(place.folder, ending.signal, options.statementMs ?? 60_000);
    const database: Database = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
    try {
      await migrate(database, place, log);
      return database;
    } catch (error) {
      // Kysely ends only a pool that it has used.
      await database.destroy().catch(() => undefined);
      throw error;
    }
  };
  const drop = async () => {
    const was = open;
    open = null;
    if (was === null) return;
    await was.then(
      (database) => database.destroy(),
      () => undefined,
    );
  };
  return {
    state: () => state,
    use: async (work) => {
      if (ending.signal.aborted) throw new HistoryUnavailable('The history has been closed.');
      try {
        open ??= dropping.then(connect);
        const mine = open;
        const database = await mine.catch((error: unknown) => {
          if (open === mine) open = null;
          throw error;
        });
        const result = await work(database.withSchema(SCHEMA));
        say({ ok: true, why: null });
        return result;
      } catch (error) {
        const trouble = troubleOf(error, place);
        if (trouble === null) {
          // A migration that fails is nothing that a caller can mend, either.
          if (open !== null) throw error;
          const why = error instanceof Error ? withoutSecrets(error.message) : String(error);
          say({ ok: false, why: `The history cannot be opened: ${why}` });
          throw new HistoryUnavailable(state.why ?? '', error);
        }
        say({ ok: false, why: trouble.message });
        // Opened anew then: what comes back may be of another version, and an embedded one that has ended stays so.
        dropping = drop().catch(() => undefined);
        throw trouble;
      }
    },
    close: async () => {
      ending.abort();
      await dropping;
      await drop();
    },
  };
};
