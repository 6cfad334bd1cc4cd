import { sql } from 'kysely';
import { EvidenceUnavailable } from '../evidence/far-store.ts';
import { type Log, withoutSecrets } from '../log.ts';
import type { Outbox, Outboxes } from '../queue/outbox.ts';
import type { OpenDatabase } from './database.ts';
import { heldFor, KeptLook, KeptNote } from './rows.ts';
import { HistoryUnavailable } from './trouble.ts';
import { type ReadFile, writeLook, writeNote } from './write.ts';

/** What writing works with. */
export interface Draining {
  readonly database: OpenDatabase;
  readonly outboxes: Outboxes;
  readonly readFile: ReadFile;
  readonly log: Log;
  /** Says a trouble in the log, not too often. */
  readonly complain: (fields: object, sentence: string) => void;
}

const LOOKS_AT_ONCE = 4;
const NOTES_AT_ONCE = 200;
/** So many are passed over that cannot be written now, before the rest waits with them. */
const MOST_PASSED = 100;
/** How long a look waits for a bucket that its evidence cannot be read from: less than that is held there (`outbox.ts`). */
const WAIT_MS = 6 * 24 * 3_600_000;
/** From so many on it is said how many wait. */
const MANY = 100;

const wordsOf = (error: unknown): string => withoutSecrets(error instanceof Error ? error.message : String(error));

const sayWaiting = async ({ outboxes, database, complain }: Draining): Promise<void> => {
  const [looks, notes] = [await outboxes.looks.size(), await outboxes.notes.size()];
  if (looks + notes >= MANY) complain({ looks, notes, why: database.state().why }, 'history: much waits to be written');
};

/**
 * Goes through an outbox, oldest first. `write` is true when a row is written, or can never be, so that it goes; false when it is
 * another process's at the moment, or has to wait. Throws what says that nothing can be written now.
 */
const empty = async (
  outbox: Outbox,
  atOnce: number,
  write: (id: string, data: unknown) => Promise<boolean>,
  heldBy: (data: unknown) => readonly string[],
): Promise<void> => {
  let passed = 0;
  for (;;) {
    const rows = await outbox.oldest(atOnce, passed);
    for (const { id, data } of rows) {
      if (await write(id, data)) await outbox.done([id], heldBy(data));
      else passed += 1;
    }
    if (rows.length < atOnce || passed > MOST_PASSED) return;
  }
};

const filesOf = (data: unknown): readonly string[] => heldFor(KeptLook.safeParse(data).data?.answer.files ?? []);

/** A look as it is written: with null for files that are lost. Throws EvidenceUnavailable while their bucket is waited for. */
const readingOf = async ({ answer }: KeptLook, readFile: ReadFile): Promise<ReadFile> => {
  const far = answer.files.find(({ part }) => part !== undefined);
  if (far === undefined) return readFile;
  try {
    // Now rather than while the database is held: all files of a look come at once, and stay at hand.
    await readFile(far);
  } catch (error) {
    if (!(error instanceof EvidenceUnavailable)) return readFile;
    if (Date.now() - answer.request.requestedAt < WAIT_MS) throw error;
    return async (file) => (file.part === undefined ? await readFile(file) : null);
  }
  return readFile;
};

/**
 * Writes what waits. What the database does not take as it is (a row of another version, say) is said in the log and goes, so that it
 * does not hold up the others. Throws HistoryUnavailable and QueueUnavailable: it waits then.
 */
export const drain = async (draining: Draining): Promise<void> => {
  const { database, outboxes, readFile, log, complain } = draining;
  const refused = (id: string, error: unknown): true => {
    log.error({ id, error: wordsOf(error) }, 'history: refused, not kept');
    return true;
  };
  try {
    // Says how the database is, also when nothing waits.
    await database.use((own) => sql`select 1`.execute(own));
    await empty(
      outboxes.looks,
      LOOKS_AT_ONCE,
      async (id, data) => {
        const look = KeptLook.safeParse(data);
        if (!look.success) return refused(id, look.error);
        // Whether the bytes are lost is known only when Redis has answered: its error passes through the database's untouched.
        try {
          const reading = await readingOf(look.data, readFile);
          return await database.use((own) => writeLook(own, look.data, reading));
        } catch (error) {
          if (error instanceof EvidenceUnavailable) {
            complain({ why: error.message }, 'history: looks wait for their evidence');
            return false;
          }
          if (error instanceof HistoryUnavailable || isAway(error)) throw error;
          return refused(id, error);
        }
      },
      filesOf,
    );
    await empty(
      outboxes.notes,
      NOTES_AT_ONCE,
      async (id, data) => {
        const note = KeptNote.safeParse(data);
        if (!note.success) return refused(id, note.error);
        try {
          await database.use((own) => writeNote(own, id, note.data));
          return true;
        } catch (error) {
          if (error instanceof HistoryUnavailable) throw error;
          return refused(id, error);
        }
      },
      () => [],
    );
  } catch (error) {
    if (error instanceof HistoryUnavailable) await sayWaiting(draining);
    throw error;
  }
};

/** Redis is away, or a serialisation failure or a deadlock, which the next try may not meet (PostgreSQL's codes of class 40). */
const isAway = (error: unknown): boolean =>
  error instanceof Error &&
  (error.name === 'QueueUnavailable' || ('code' in error && typeof error.code === 'string' && /^40/.test(error.code)));
