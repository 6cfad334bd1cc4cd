import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Impact } from '../../playbooks/model/index.ts';
import type { RedisClient } from './connection.ts';
import { JournalEntry } from './messages.ts';
import { key } from './names.ts';

const KEEP_SECONDS = 24 * 3600;

/** What must not be forgotten when a worker dies in the middle of a look. */
export interface Journal {
  /**
   * Records that a step with impact is about to start. The step may start once this has resolved. Throws when Redis
   * does not answer: then the step must not run, because a redelivery could not know of it.
   */
  readonly started: (probe: string, impacts: readonly Impact[]) => Promise<void>;
  /** Probes that an earlier delivery of the same request has recorded, in order, each once. */
  readonly earlier: () => Promise<string[]>;
}

/** A delivery's journal together with how many deliveries there have been, this one included. */
export interface OpenJournal extends Journal {
  readonly deliveries: number;
}

const entriesOf = (lines: readonly string[]): JournalEntry[] =>
  lines.flatMap((line) => {
    const entry = JournalEntry.safeParse(parseJson(line));
    return entry.success ? [entry.data] : [];
  });

const readEntries = async (redis: RedisClient, name: string): Promise<JournalEntry[]> =>
  entriesOf(await redis.lrange(name, 0, -1));

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/**
 * Opens the journal of a request for one more delivery, which is recorded first. `patient` waits for Redis when it is
 * away; `hurried` must not wait for ever, because a step waits for it.
 */
export const openJournal = async (
  patient: RedisClient,
  hurried: RedisClient,
  requestId: string,
): Promise<OpenJournal> => {
  const name = key('journal', requestId);
  const delivery = randomUUID();
  /** Writes an entry and gives all that are there, in one transaction: it is one way to Redis and back. */
  const write = async (redis: RedisClient, entry: JournalEntry): Promise<JournalEntry[]> => {
    const writing = redis.multi().rpush(name, JSON.stringify(entry)).expire(name, KEEP_SECONDS).lrange(name, 0, -1);
    const results = (await writing.exec()) ?? [];
    for (const [error] of results) if (error !== null) throw error;
    return entriesOf(z.array(z.string()).parse(results[2]?.[1]));
  };
  const before = await write(patient, { kind: 'began', delivery });
  return {
    deliveries: before.filter((entry) => entry.kind === 'began').length,
    started: async (probe, impacts) =>
      void (await write(hurried, { kind: 'step', delivery, probe, impacts: [...impacts] })),
    earlier: async () => {
      const entries = await readEntries(hurried, name);
      const probes = entries.flatMap((entry) =>
        entry.kind === 'step' && entry.delivery !== delivery ? [entry.probe] : [],
      );
      return [...new Set(probes)];
    },
  };
};
