import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Impact } from '../../playbooks/model/index.ts';
import type { RedisClient } from './connection.ts';
import { JournalEntry } from './messages.ts';
import { key } from './names.ts';
import { script } from './script.ts';

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

/** A delivery that has begun. */
export interface Begun {
  readonly journal: Journal;
  /** How many there have been of its request, this one included. */
  readonly deliveries: number;
  /** What is kept of a wish to cancel it, as it was written; null when there is none. */
  readonly wish: string | null;
}

/**
 * KEYS: the answer, the wish to cancel, the journal. ARGV: entry, seconds. Nothing is written when there is an answer; then it gives
 * nothing. Else the wish or an empty text, then all entries.
 */
const BEGIN = script(`if redis.call('EXISTS', KEYS[1]) == 1 then return {} end
local found = {redis.call('GET', KEYS[2]) or ''}
if redis.call('RPUSH', KEYS[3], ARGV[1]) == 1 then
  found[2] = ARGV[1]
else
  for _, entry in ipairs(redis.call('LRANGE', KEYS[3], 0, -1)) do table.insert(found, entry) end
end
redis.call('EXPIRE', KEYS[3], ARGV[2])
return found`);
/** KEYS: journal. ARGV: entry, seconds. */
const WRITE = script(`redis.call('RPUSH', KEYS[1], ARGV[1])
return redis.call('EXPIRE', KEYS[1], ARGV[2])`);

const Texts = z.array(z.string());

const entriesOf = (lines: readonly string[]): JournalEntry[] =>
  lines.flatMap((line) => {
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
 * Begins one more delivery of a request and records it, all in one way to Redis and back. Null when the request has its answer.
 * `patient` waits for Redis when it is away; `hurried` must not wait for ever, because a step waits for it. `answer` and `wish` are
 * the keys of the answer and of a wish to cancel. Throws what `patient` throws.
 */
export const beginDelivery = async (
  patient: RedisClient,
  hurried: RedisClient,
  { requestId, answer, wish }: { readonly requestId: string; readonly answer: string; readonly wish: string },
): Promise<Begun | null> => {
  const name = key('journal', requestId);
  const delivery = randomUUID();
  const lineOf = (entry: JournalEntry): string => JSON.stringify(entry);
  const began = lineOf({ kind: 'began', delivery });
  const [wished, ...lines] = Texts.parse(await BEGIN(patient, [answer, wish, name], began, KEEP_SECONDS));
  if (wished === undefined) return null;
  // One line is our own. By their names: what was sent when the connection was lost is sent again, and may stand there twice.
  const entries = lines.length === 1 ? [] : entriesOf(lines);
  const begun = new Set(entries.flatMap((entry) => (entry.kind === 'began' ? [entry.delivery] : []))).add(delivery);
  const journal: Journal = {
    started: async (probe, impacts) => {
      await WRITE(hurried, [name], lineOf({ kind: 'step', delivery, probe, impacts: [...impacts] }), KEEP_SECONDS);
    },
    earlier: async () => {
      const entries = entriesOf(await hurried.lrange(name, 0, -1));
      const probes = entries.flatMap((entry) =>
        entry.kind === 'step' && entry.delivery !== delivery ? [entry.probe] : [],
      );
      return [...new Set(probes)];
    },
  };
  return { journal, deliveries: begun.size, wish: wished === '' ? null : wished };
};
