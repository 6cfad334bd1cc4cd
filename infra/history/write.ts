import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type Insertable, sql } from 'kysely';
import type { AuditEntry } from '../audit.ts';
import type { StoredFile } from '../queue/messages.ts';
import { storable, storableJson } from './clean.ts';
import { type Database, LOCKS } from './database.ts';
import { placeOf, serviceOf } from './likeness.ts';
import type { KeptLook, KeptNote } from './rows.ts';
import type { FindingTable, LookTable } from './schema.ts';

const compress = promisify(gzip);

const orNull = (text: string | undefined | null): string | null => (text == null ? null : storable(text));

const lookRow = ({ answer, headline, state }: KeptLook): Insertable<LookTable> | null => {
  const { request, outcome } = answer;
  const { origin } = request;
  if (origin.kind !== 'slack') return null;
  const report = outcome.kind === 'report' ? outcome.report : null;
  const first = report?.findings.find((each) => each.confidence >= 0.5 || each.cause === 'healthy');
  return {
    id: storable(request.id),
    host: request.host,
    pid: request.pid,
    playbook: request.playbook,
    team: storable(origin.team),
    channel: storable(origin.channel),
    thread_ts: storable(origin.threadTs),
    user_id: storable(origin.user),
    via: origin.via,
    requested_at: new Date(request.requestedAt),
    state,
    cause: first?.cause ?? null,
    confidence: first?.confidence ?? null,
    headline: storable(headline),
    unit: orNull(report?.target.unit),
    service: report === null ? '' : storable(serviceOf(report.target)),
    request: storableJson(request),
    report: report === null ? null : storableJson(report),
    failure: outcome.kind === 'failure' ? storableJson(outcome.failure) : null,
  };
};

const findingRows = ({ answer }: KeptLook): Insertable<FindingTable>[] => {
  const { outcome, request } = answer;
  if (outcome.kind !== 'report') return [];
  const service = storable(serviceOf(outcome.report.target));
  return outcome.report.findings.map((finding, position) => ({
    look_id: storable(request.id),
    position,
    cause: finding.cause,
    confidence: finding.confidence,
    title: storable(finding.title),
    service,
    place: storable(placeOf(finding)),
  }));
};

/** The bytes of a file; null when they are lost. */
export type ReadFile = (file: StoredFile) => Promise<Uint8Array | null>;

/** A file that cannot be unpacked is lost, which is no reason to lose the report. Throws QueueUnavailable and EvidenceUnavailable. */
const bytesOf = async (file: StoredFile, readFile: ReadFile): Promise<Uint8Array | null> => {
  try {
    return await readFile(file);
  } catch (error) {
    if (error instanceof Error && /^(?:Queue|Evidence)Unavailable$/.test(error.name)) throw error;
    return null;
  }
};

const writeEvidence = async (
  database: Database,
  lookId: string,
  files: readonly StoredFile[],
  readFile: ReadFile,
): Promise<void> => {
  for (const [position, file] of files.entries()) {
    const bytes = await bytesOf(file, readFile);
    await database
      .insertInto('evidence')
      .values({
        look_id: lookId,
        position,
        evidence_id: storable(file.evidenceId),
        name: storable(file.name),
        bytes: file.bytes,
        truncated: file.truncated || bytes === null,
        sha256: bytes === null ? null : createHash('sha256').update(bytes).digest('hex'),
        content: bytes === null ? null : await compress(bytes),
      })
      .execute();
  }
};

/**
 * Writes a look with its findings and its evidence, all or nothing. The same look again changes nothing. False when another bot is
 * writing it now.
 */
export const writeLook = (database: Database, look: KeptLook, readFile: ReadFile): Promise<boolean> =>
  database.transaction().execute(async (own) => {
    const row = lookRow(look);
    if (row === null) return true;
    const lock = await sql<{
      free: boolean;
    }>`select pg_try_advisory_xact_lock(${sql.lit(LOCKS.space)}, hashtext(${row.id})) as free`.execute(own);
    if (lock.rows[0]?.free !== true) return false;
    const isPrivate = look.private;
    await own
      .insertInto('channels')
      .values({ id: row.channel, private: isPrivate })
      .onConflict((there) => there.column('id').doUpdateSet({ private: isPrivate, checked_at: new Date() }))
      .execute();
    const written = await own
      .insertInto('looks')
      .values(row)
      .onConflict((there) => there.column('id').doNothing())
      .returning('id')
      .execute();
    if (written.length === 0) return true;
    const findings = findingRows(look);
    if (findings.length > 0) await own.insertInto('findings').values(findings).execute();
    await writeEvidence(own, row.id, look.answer.files, readFile);
    return true;
  });

const APPROVALS: ReadonlySet<AuditEntry['event']> = new Set(['approval-asked', 'approved', 'refused', 'expired']);

const writeAudit = async (database: Database, id: string, entry: AuditEntry): Promise<void> => {
  const about = { id, at: new Date(entry.at), event: entry.event };
  await database
    .insertInto('audit')
    .values({
      ...about,
      machine: storable(entry.machine),
      look_id: orNull(entry.request),
      host: orNull(entry.host),
      user_id: orNull(entry.user),
      line: storableJson(entry),
    })
    .onConflict((there) => there.column('id').doNothing())
    .execute();
  if (!APPROVALS.has(entry.event)) return;
  await database
    .insertInto('approvals')
    .values({
      ...about,
      look_id: storable(entry.request ?? ''),
      user_id: storable(entry.user ?? ''),
      host: storable(entry.host ?? ''),
      pid: entry.pid ?? null,
      playbook: entry.playbook ?? null,
      outcome: storable(entry.outcome ?? ''),
    })
    .onConflict((there) => there.column('id').doNothing())
    .execute();
};

/** Writes a small fact under an id; the same again changes nothing. */
export const writeNote = async (database: Database, noteId: string, note: KeptNote): Promise<void> => {
  const id = storable(noteId);
  if (note.kind === 'audit') return await writeAudit(database, id, note.entry);
  const about = {
    id,
    channel: storable(note.channel),
    thread_ts: storable(note.threadTs),
    at: new Date(note.at),
  };
  switch (note.kind) {
    case 'feedback': {
      const said = { user_id: storable(note.user), cause: storable(note.cause), words: orNull(note.words) };
      const values = { ...about, ...said, look_id: storable(note.requestId) };
      await database
        .insertInto('feedback')
        .values(values)
        .onConflict((there) => there.column('id').doNothing())
        .execute();
      return;
    }
    case 'resolution':
      await database
        .insertInto('resolutions')
        .values({ ...about, user_id: storable(note.user), note: orNull(note.note) })
        .onConflict((there) => there.column('id').doNothing())
        .execute();
      return;
    case 'verification': {
      const looks = { before_id: storable(note.before), after_id: storable(note.after) };
      await database
        .insertInto('verifications')
        .values({ ...about, ...looks, verdict: note.verdict, title: storable(note.title) })
        .onConflict((there) => there.column('id').doNothing())
        .execute();
      return;
    }
  }
};
