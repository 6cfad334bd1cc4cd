import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { BotQueue } from '../../infra/queue/bot-side.ts';
import { ALERT_ERRAND, Notice } from './notice.ts';
import { readJson } from './read-json.ts';
import { cut } from './shape.ts';
import type { AlertCall, AlertSource, Sameness, SourceSecrets, Way } from './source.ts';

/** What a sender is told. `sentence` says what to set right; nothing of the request is in it but names of fields. */
export interface IntakeAnswer {
  readonly status: 202 | 400 | 401 | 403 | 422;
  readonly sentence: string;
  /** What was queued now; for the log. */
  readonly groups: readonly string[];
}

/** A source with the way that the configuration chose and its secrets. */
export interface ReadySource {
  readonly unit: AlertSource;
  readonly way: Way;
  readonly against: SourceSecrets;
}

/** As much of the queue as taking alerts in needs. */
export type AlertQueue = Pick<BotQueue, 'accept' | 'notes'>;

const refusal = (status: IntakeAnswer['status'], sentence: string): IntakeAnswer => ({ status, sentence, groups: [] });

const LONGEST_SENTENCE = 400;

/** Fields that are wrong, as a path and what was expected there. */
const wrongFields = (error: z.ZodError): string =>
  cut(
    error.issues
      .slice(0, 3)
      .map(({ path, message }) => `${path.map(String).join('.') || 'the body'}: ${message}`)
      .join('; '),
    LONGEST_SENTENCE,
  );

/** What is remembered of a delivery: when it came first, and whether all of it is in the queue. */
const Remembered = z.object({ at: z.number(), queued: z.boolean() });
const REMEMBERED = 'alert-delivery';

const deliveryId = (source: string, { key }: Sameness): string =>
  createHash('sha256').update(source).update('\0').update(key).digest('hex').slice(0, 40);

/**
 * Queues the notices of a delivery, once, however often it is repeated and by however many bots it is taken at once: the ids of
 * the errands come from what makes it the same delivery and from when that was first seen. When this ends in the middle,
 * the sender is told nothing and sends again. What is known already is not `cleaned` again: in a storm much is repeated. Returns
 * what was queued now. Throws QueueUnavailable.
 */
const queueOnce = async (
  source: string,
  sameness: Sameness,
  notices: readonly Notice[],
  now: number,
  queue: AlertQueue,
  cleaned: (notice: Notice) => Promise<Notice>,
): Promise<readonly Notice[] | 'duplicate'> => {
  const id = deliveryId(source, sameness);
  const fresh = { at: now, queued: false };
  const first = (await queue.notes.claim(REMEMBERED, id, fresh, sameness.seconds))
    ? fresh
    : (Remembered.safeParse(await queue.notes.get(REMEMBERED, id)).data ?? fresh);
  if (first.queued) return 'duplicate';
  const clean = await Promise.all(notices.map(cleaned));
  for (const [index, data] of clean.entries()) {
    const errand = `alert-${source}-${id}-${first.at.toString(36)}-${index}`;
    await queue.accept({ kind: 'errand', id: errand, errand: ALERT_ERRAND, data, at: now }, 0, 'last');
  }
  await queue.notes.set(REMEMBERED, id, { at: first.at, queued: true }, sameness.seconds);
  return clean;
};

/** What can be said before the body is read, or null. */
export const refusedByHeaders = ({ way, against }: ReadySource, call: Omit<AlertCall, 'body'>): IntakeAnswer | null => {
  const missing = way.headers.find((name) => call.headers[name] === undefined);
  if (missing !== undefined) return refusal(401, `The header ${missing} is missing.`);
  if (way.reads === 'body') return null;
  const wrong = way.check({ ...call, body: new Uint8Array() }, against);
  return wrong === null ? null : refusal(wrong.status, wrong.sentence);
};

/** A whole request: checked, read, put through `cleaned` (which takes secrets out), queued. Throws QueueUnavailable, and nothing else whatever was sent. */
export const takeAlert = async (
  { unit, way, against }: ReadySource,
  call: AlertCall,
  queue: AlertQueue,
  cleaned: (notice: Notice) => Promise<Notice>,
): Promise<IntakeAnswer> => {
  const wrong = way.check(call, against);
  if (wrong !== null) return refusal(wrong.status, wrong.sentence);
  const json = readJson(call.body);
  if ('why' in json) return refusal(400, json.why);
  const payload = unit.schema.safeParse(json.value);
  if (!payload.success) return refusal(422, `Not the payload of ${unit.source}: ${wrongFields(payload.error)}.`);
  const untimely = unit.untimely?.(payload.data, call.now) ?? null;
  if (untimely !== null) return refusal(403, untimely);
  // The schema once more: what is queued here is read by another bot, perhaps of another version.
  const notices = z.array(Notice).max(20).safeParse(unit.parse(payload.data, call.now));
  if (!notices.success) return refusal(422, `Not the payload of ${unit.source}: ${wrongFields(notices.error)}.`);
  if (notices.data.length === 0)
    return { status: 202, sentence: 'Nothing to do for an event of this kind.', groups: [] };
  const done = await queueOnce(unit.source, unit.sameness(payload.data, call), notices.data, call.now, queue, cleaned);
  if (done === 'duplicate') return { status: 202, sentence: 'Taken before.', groups: [] };
  return { status: 202, sentence: 'Queued.', groups: done.map(({ group }) => group) };
};
