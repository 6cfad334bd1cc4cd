import { sql } from 'kysely';
import { storable } from './clean.ts';
import { type Database, LOCKS } from './database.ts';
import type { HistoryConfig } from './settings.ts';

/** Which looks are meant. */
export type Purging =
  | { readonly kind: 'older'; readonly than: Date }
  | { readonly kind: 'host'; readonly host: string }
  | { readonly kind: 'id'; readonly id: string };

/** How much there is of what is meant, or was removed. */
export interface Purged {
  readonly looks: number;
  readonly files: number;
  /** As they are kept: compressed. */
  readonly bytes: number;
  /** Feedback, resolutions, verifications and approvals. */
  readonly notes: number;
  readonly audit: number;
}

const NOTHING: Purged = { looks: 0, files: 0, bytes: 0, notes: 0, audit: 0 };
const BATCH = 200;

const added = (one: Purged, other: Purged): Purged => ({
  looks: one.looks + other.looks,
  files: one.files + other.files,
  bytes: one.bytes + other.bytes,
  notes: one.notes + other.notes,
  audit: one.audit + other.audit,
});

const lookIds = async (database: Database, what: Purging, limit: number, after = ''): Promise<string[]> => {
  let looks = database.selectFrom('looks').select('id').where('id', '>', after).orderBy('id').limit(limit);
  if (what.kind === 'older') looks = looks.where('requested_at', '<', what.than);
  else if (what.kind === 'host') looks = looks.where('host', '=', storable(what.host));
  else looks = looks.where('id', '=', storable(what.id));
  return (await looks.execute()).map(({ id }) => id);
};

/** What hangs on these looks, counted or removed. Notes about a look go with it; those about its thread go by their age. */
const aboutLooks = async (database: Database, ids: readonly string[], remove: boolean): Promise<Purged> => {
  if (ids.length === 0) return NOTHING;
  const held = await database
    .selectFrom('evidence')
    .where('look_id', 'in', ids)
    .select([sql<string>`count(*)`.as('files'), sql<string>`coalesce(sum(octet_length(content)), 0)`.as('bytes')])
    .executeTakeFirstOrThrow();
  let notes = 0;
  let audit = 0;
  const mine = [
    ['feedback', 'look_id'],
    ['approvals', 'look_id'],
    ['verifications', 'after_id'],
    ['audit', 'look_id'],
  ] as const;
  for (const [table, column] of mine) {
    const hers = sql<boolean>`${sql.ref(column)} in (${sql.join(ids)})`;
    const rows = remove
      ? Number((await database.deleteFrom(table).where(hers).executeTakeFirst()).numDeletedRows)
      : Number(
          (
            await database
              .selectFrom(table)
              .where(hers)
              .select(sql<string>`count(*)`.as('rows'))
              .executeTakeFirstOrThrow()
          ).rows,
        );
    if (table === 'audit') audit += rows;
    else notes += rows;
  }
  // Findings and evidence go with their look.
  if (remove) await database.deleteFrom('looks').where('id', 'in', ids).execute();
  return { looks: ids.length, files: Number(held.files), bytes: Number(held.bytes), notes, audit };
};

/** What is older and hangs on no look any more. */
const agedNotes = async (database: Database, than: Date, remove: boolean): Promise<Purged> => {
  let purged = NOTHING;
  for (const table of ['feedback', 'resolutions', 'verifications', 'approvals', 'audit'] as const) {
    const aged = sql<boolean>`at < ${than}`;
    const rows = remove
      ? Number((await database.deleteFrom(table).where(aged).executeTakeFirst()).numDeletedRows)
      : Number(
          (
            await database
              .selectFrom(table)
              .where(aged)
              .select(sql<string>`count(*)`.as('rows'))
              .executeTakeFirstOrThrow()
          ).rows,
        );
    purged = added(purged, { ...NOTHING, ...(table === 'audit' ? { audit: rows } : { notes: rows }) });
  }
  return purged;
};

/** What a purge would remove. */
export const purgeable = async (database: Database, what: Purging): Promise<Purged> => {
  if (what.kind === 'older') {
    // Notes of looks are counted by their own age below.
    const [looks, notes] = [await countOlder(database, what.than), await agedNotes(database, what.than, false)];
    return added(looks, notes);
  }
  let purged = NOTHING;
  let last = '';
  for (;;) {
    const ids = await lookIds(database, what, BATCH, last);
    purged = added(purged, await aboutLooks(database, ids, false));
    last = ids.at(-1) ?? '';
    if (ids.length < BATCH) return purged;
  }
};

const countOlder = async (database: Database, than: Date): Promise<Purged> => {
  const looks = await database
    .selectFrom('looks')
    .where('requested_at', '<', than)
    .select(sql<string>`count(*)`.as('looks'))
    .executeTakeFirstOrThrow();
  const files = await database
    .selectFrom('evidence')
    .innerJoin('looks', 'looks.id', 'evidence.look_id')
    .where('looks.requested_at', '<', than)
    .select([sql<string>`count(*)`.as('files'), sql<string>`coalesce(sum(octet_length(content)), 0)`.as('bytes')])
    .executeTakeFirstOrThrow();
  return { ...NOTHING, looks: Number(looks.looks), files: Number(files.files), bytes: Number(files.bytes) };
};

/** Removes what is meant, in small transactions, at most so many looks. */
export const purge = async (database: Database, what: Purging, most = Number.POSITIVE_INFINITY): Promise<Purged> => {
  let purged = NOTHING;
  while (purged.looks < most) {
    const ids = await lookIds(database, what, Math.min(BATCH, most - purged.looks));
    if (ids.length === 0) break;
    purged = added(purged, await database.transaction().execute((own) => aboutLooks(own, ids, true)));
  }
  if (what.kind === 'older') purged = added(purged, await agedNotes(database, what.than, true));
  return purged;
};

/** Takes the bytes of old evidence away; that there was such a file stays known. Returns of how many files. */
const forgetEvidence = async (database: Database, than: Date, most: number): Promise<number> => {
  let files = 0;
  while (files < most) {
    const { numUpdatedRows } = await database
      .updateTable('evidence')
      .set({ content: null })
      .where((where) =>
        where(
          where.refTuple('look_id', 'position'),
          'in',
          where
            .selectFrom('evidence')
            .select(['look_id', 'position'])
            .where('kept_at', '<', than)
            .where('content', 'is not', null)
            .limit(BATCH)
            .$asTuple('look_id', 'position'),
        ),
      )
      .executeTakeFirst();
    files += Number(numUpdatedRows);
    if (Number(numUpdatedRows) < BATCH) break;
  }
  return files;
};

const DAY_MS = 24 * 3600 * 1000;
/** What one round does at most, so that it does not hold up the others for long. */
const MOST_LOOKS = 5_000;
const MOST_FILES = 20_000;

/**
 * Removes what has been kept for long enough, a bounded part of it. Null when another process is at it: one does it at a time.
 */
export const applyRetention = (
  database: Database,
  { retentionDays, evidenceRetentionDays }: Pick<HistoryConfig, 'retentionDays' | 'evidenceRetentionDays'>,
  now = Date.now(),
): Promise<(Purged & { readonly forgotten: number }) | null> =>
  database.connection().execute(async (own) => {
    const lock = sql`${sql.lit(LOCKS.space)}, ${sql.lit(LOCKS.retention)}`;
    const { rows } = await sql<{ free: boolean }>`select pg_try_advisory_lock(${lock}) as free`.execute(own);
    if (rows[0]?.free !== true) return null;
    try {
      const forgotten = await forgetEvidence(own, new Date(now - evidenceRetentionDays * DAY_MS), MOST_FILES);
      const than = new Date(now - retentionDays * DAY_MS);
      return { ...(await purge(own, { kind: 'older', than }, MOST_LOOKS)), forgotten };
    } finally {
      await sql`select pg_advisory_unlock(${lock})`.execute(own).catch(() => undefined);
    }
  });
