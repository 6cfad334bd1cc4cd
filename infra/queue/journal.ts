import { randomUUID } from 'node:crypto';
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

const readEntries = async (redis: RedisClient, name: string): Promise<JournalEntry[]> =>
  (await redis.lrange(name, 0, -1)).flatMap((line) => {
    const entry = JournalEntry.safeParse(parseJson(line));
    return entry.success ? [entry.data] : [];
  });

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
  const write = async (redis: RedisClient, entry: JournalEntry): Promise<void> => {
    await redis.rpush(name, JSON.stringify(entry));
    await redis.expire(name, KEEP_SECONDS);
  };
  await write(patient, { kind: 'began', delivery });
  const before = await readEntries(patient, name);
  return {
    deliveries: before.filter((entry) => entry.kind === 'began').length,
    started: (probe, impacts) => write(hurried, { kind: 'step', delivery, probe, impacts: [...impacts] }),
    earlier: async () => {
      const entries = await readEntries(hurried, name);
      const probes = entries.flatMap((entry) =>
        entry.kind === 'step' && entry.delivery !== delivery ? [entry.probe] : [],
      );
      return [...new Set(probes)];
    },
  };
};
