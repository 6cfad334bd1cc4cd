import { randomUUID } from 'node:crypto';
import type { AuditEntry } from '../audit.ts';
import { type Log, withoutSecrets } from '../log.ts';
import type { Outboxes } from '../queue/outbox.ts';
import { endsWithin } from '../queue/within.ts';
import { NO_SITE_RULES, type SiteRules } from '../redact/redactor.ts';
import { wordsWithoutSecrets } from '../redact/words.ts';
import { type HistoryState, type OpenDatabase, openDatabase } from './database.ts';
import { drain } from './drain.ts';
import {
  type Comparing,
  type ListedPage,
  listLooks,
  looksOfThread,
  type SeenBefore,
  seenBefore,
  type Thread,
  type ThreadLook,
  writeChannels,
} from './read.ts';
import { applyRetention } from './retention.ts';
import { heldFor, type KeptLook, type KeptNote } from './rows.ts';
import type { HistoryConfig } from './settings.ts';
import { HistoryUnavailable } from './trouble.ts';
import type { ReadFile } from './write.ts';

/** What has been found, by whom it was asked for and what became of it, kept for good. */
export interface History {
  /** Whether it can be written and read now; for a readiness check. */
  readonly state: () => HistoryState;
  /** Has a look written down, now or when it can be. Throws QueueUnavailable. */
  readonly keepLook: (look: KeptLook) => Promise<void>;
  /** Has a small fact written down under an id, secrets taken out of what people wrote. Throws QueueUnavailable. */
  readonly keepNote: (id: string, note: KeptNote) => Promise<void>;
  /** How long what was found and said is kept, days. */
  readonly keptDays: number;
  /** Has a line of the audit log written down beside its file. Never throws and does not wait. */
  readonly keepAudit: (entry: AuditEntry) => void;
  /** Throws HistoryUnavailable, as the next three. */
  readonly list: (wanted: {
    readonly about: string | null;
    readonly channel: string;
    readonly page: number;
    readonly size: number;
  }) => Promise<ListedPage>;
  readonly seenBefore: (comparing: Comparing) => Promise<SeenBefore | null>;
  /** The looks of a thread by their ids, of the newest so many. */
  readonly ofThread: (thread: Thread) => Promise<ReadonlyMap<string, ThreadLook>>;
  /** What was found of channels: whether each is closed to others of the workspace. */
  readonly channels: (closed: ReadonlyMap<string, boolean>) => Promise<void>;
  /** Lets what is being written end, then closes. */
  readonly close: () => Promise<void>;
}

export interface HistoryOptions extends HistoryConfig {
  readonly outboxes: Outboxes;
  readonly readFile: ReadFile;
  readonly log: Log;
  /** What a site calls a secret, and what not. */
  readonly redaction?: SiteRules;
  /** How often what waits is looked for, and a database that is away is tried, ms. Default 5,000. Shorter in tests. */
  readonly everyMs?: number;
  /** How often what has been kept for long enough is removed, ms. Default ten minutes. */
  readonly retentionEveryMs?: number;
  readonly statementMs?: number;
  readonly connectMs?: number;
  /** One that is open already, and stays open; for tests. */
  readonly database?: OpenDatabase;
}

/** How long what is being written is waited for. */
const WRITE_MS = 10_000;
const FULL_SAID_MS = 60_000;

/** A sentence in the log at most once a minute. */
const seldom = (log: Log) => {
  const said = new Map<string, number>();
  return (fields: object, sentence: string) => {
    if (Date.now() - (said.get(sentence) ?? 0) < FULL_SAID_MS) return;
    said.set(sentence, Date.now());
    log.error(fields, sentence);
  };
};

/** A note without the secrets that somebody wrote into it; words that cannot be checked are left out. */
const checked = async (note: KeptNote, site: SiteRules): Promise<KeptNote> => {
  if (note.kind === 'resolution' && note.note !== null)
    return { ...note, note: await wordsWithoutSecrets(note.note, site) };
  if (note.kind === 'feedback' && note.words !== null)
    return { ...note, words: await wordsWithoutSecrets(note.words, site) };
  return note;
};

/** Runs work after each nudge and every so often, one run at a time, until it is stopped. */
const steadily = (everyMs: number, work: () => Promise<void>) => {
  let running: Promise<void> | null = null;
  let again = false;
  let stopped = false;
  const nudge = () => {
    if (stopped) return;
    if (running !== null) {
      again = true;
      return;
    }
    running = work().finally(() => {
      running = null;
      if (!again) return;
      again = false;
      nudge();
    });
  };
  const timer = setInterval(nudge, everyMs);
  timer.unref();
  return {
    nudge,
    stop: async () => {
      stopped = true;
      clearInterval(timer);
      await running;
    },
  };
};

/**
 * Opens the history. Returns at once: a database that cannot be reached is tried again and again, and what there is to write waits in
 * the outboxes meanwhile, so that no answer waits for it.
 */
export const openHistory = (options: HistoryOptions): History => {
  const { place, outboxes, readFile, log, everyMs = 5_000, retentionEveryMs = 600_000 } = options;
  const database =
    options.database ??
    openDatabase({
      place,
      log,
      ...(options.statementMs === undefined ? {} : { statementMs: options.statementMs }),
      ...(options.connectMs === undefined ? {} : { connectMs: options.connectMs }),
    });
  const complain = seldom(log);
  const quietly = (what: string, work: () => Promise<void>) => async () => {
    try {
      await work();
    } catch (error) {
      // What cannot be reached says so in the state, and Redis in its own log.
      if (error instanceof HistoryUnavailable) return;
      const words = withoutSecrets(error instanceof Error ? error.message : String(error));
      complain({ error: words }, `history: ${what} failed`);
    }
  };
  const writing = steadily(
    everyMs,
    quietly('writing', () => drain({ database, outboxes, readFile, log, complain })),
  );
  const retaining = steadily(
    retentionEveryMs,
    quietly('retention', async () => {
      const removed = await database.use((own) => applyRetention(own, options));
      if (removed !== null && removed.looks + removed.forgotten + removed.notes + removed.audit > 0)
        log.info({ ...removed }, 'history: removed what was kept for long enough');
    }),
  );
  const full = (what: string) =>
    complain(
      { waiting: what },
      `history: no more room for ${what} that wait for the database; newer ones are not kept until it is back`,
    );
  const keepNote: History['keepNote'] = async (id, note) => {
    const data = await checked(note, options.redaction ?? NO_SITE_RULES);
    if (!(await outboxes.notes.put({ id, at: Date.now(), data }))) full('notes');
    writing.nudge();
  };
  writing.nudge();
  return {
    state: database.state,
    keepLook: async (look) => {
      const { requestId, request, files } = look.answer;
      if (!(await outboxes.looks.put({ id: requestId, at: request.requestedAt, data: look }, heldFor(files))))
        full('looks');
      writing.nudge();
    },
    keepNote,
    keptDays: options.retentionDays,
    keepAudit: (entry) => {
      keepNote(randomUUID(), { kind: 'audit', entry }).catch((error: unknown) =>
        complain(
          { error: String(error) },
          'history: a line of the audit log could not be handed over; its file has it',
        ),
      );
    },
    list: (wanted) => database.use((own) => listLooks(own, wanted)),
    seenBefore: (comparing) => database.use((own) => seenBefore(own, comparing)),
    ofThread: (thread) => database.use((own) => looksOfThread(own, thread)),
    channels: (closed) => database.use((own) => writeChannels(own, closed)),
    close: async () => {
      // What is not written by then is written by the next process, or another one.
      const stopping = Promise.all([writing.stop(), retaining.stop()]);
      await endsWithin(stopping, database.state().ok ? WRITE_MS : 0);
      if (options.database === undefined) await database.close();
      await stopping;
    },
  };
};
