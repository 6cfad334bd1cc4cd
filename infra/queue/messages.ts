import { z } from 'zod';
import {
  Failure,
  HostName,
  Origin,
  Progress,
  Question,
  Report,
  Request,
  Selector,
  UnitId,
} from '../../playbooks/model/index.ts';

/** A command that has been understood: its thread is opened next, then its look is queued. */
export const Opening = z.object({
  kind: z.literal('opening'),
  /** The request's id: the same command is the same opening. */
  id: z.string(),
  request: Request.omit({ origin: true }),
  team: z.string(),
  channel: z.string(),
  user: z.string(),
  /** Where the asker can still be told privately that the thread could not be opened (works for 30 minutes). */
  responseUrl: z.url(),
  /** How the process was found, a sentence, when it was not typed. */
  why: z.string().max(1_000).optional(),
});
export type Opening = z.infer<typeof Opening>;

/** Somebody spoke to the bot. What they said has not been looked at yet. */
export const Mention = z.object({
  kind: z.literal('mention'),
  /** Slack's event id: an event that is delivered twice is one mention. */
  id: z.string(),
  team: z.string(),
  channel: z.string(),
  user: z.string(),
  ts: z.string(),
  threadTs: z.string().optional(),
  text: z.string(),
  /** Milliseconds since 1970, by the bot's clock. */
  at: z.number(),
});
export type Mention = z.infer<typeof Mention>;

/** Somebody pressed a button or picked from a list of ours. */
export const Press = z.object({
  kind: z.literal('press'),
  /** The same press is the same id, however often Slack delivers it. */
  id: z.string(),
  team: z.string(),
  channel: z.string(),
  user: z.string(),
  /** The message that has the button. */
  messageTs: z.string(),
  threadTs: z.string().optional(),
  /** What the button carries: an opaque id, under which the bot keeps what it does. */
  token: z.string().max(100),
  /** What was picked, when it is a list. */
  picked: z.string().max(200).optional(),
  /** What was filled into the modal that the button opened, by field. */
  form: z.record(z.string().max(255), z.string().max(3_000).nullable()).optional(),
  /** Milliseconds since 1970, by the bot's clock. */
  at: z.number(),
});
export type Press = z.infer<typeof Press>;

/** Work that the bot, or a worker for it, has set for later: one unit of `bot/errands/` does it. */
export const Errand = z.object({
  kind: z.literal('errand'),
  /** The same errand is the same id: a second one is not taken. */
  id: z.string().max(200),
  /** The unit that does it. */
  errand: UnitId,
  /** For that unit; it has the schema. */
  data: z.record(z.string(), z.unknown()),
  /** When it was set, milliseconds since 1970. */
  at: z.number(),
});
export type Errand = z.infer<typeof Errand>;

/** Which process of a host is meant: a worker looks, and its answer becomes an errand. */
export const Find = z.object({
  /** The same find is the same id: a second one is not taken, and brings no second errand. */
  id: z.string().min(1).max(150),
  host: HostName,
  selector: Selector,
  /** The errand that gets the answer: `data` with `found`, which is a Found. */
  handTo: z.object({ errand: UnitId, data: z.record(z.string(), z.unknown()) }),
  /** Who asked; absent when a rule did. */
  asker: z.object({ team: z.string(), channel: z.string(), user: z.string() }).optional(),
  /** When it was asked, milliseconds since 1970. */
  at: z.number(),
});
export type Find = z.infer<typeof Find>;

/** A question on its way to a worker; its Reply becomes an errand. */
export const PutQuestion = Question.extend({
  /** The errand that gets it: `data` with `reply`, and `file` with what the model saw and said. */
  handTo: z.object({ errand: UnitId, data: z.record(z.string(), z.unknown()) }),
  /** When it was put, milliseconds since 1970. */
  at: z.number(),
});
export type PutQuestion = z.infer<typeof PutQuestion>;

/** What a bot has acknowledged to Slack and not done yet; any bot does it. */
export const Intake = z.discriminatedUnion('kind', [Opening, Mention, Press, Errand]);
export type Intake = z.infer<typeof Intake>;

/** Progress as it travels: with the request, so that its reader needs no memory. */
export const ProgressMessage = z.object({
  progress: Progress,
  request: Request,
  /** Rises with every message of a request, over redeliveries too; a reader drops what is not newer. */
  order: z.number().int(),
});
export type ProgressMessage = z.infer<typeof ProgressMessage>;

/** How a look ended. */
export const Outcome = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('report'), report: Report }),
  z.object({ kind: z.literal('failure'), failure: Failure }),
]);
export type Outcome = z.infer<typeof Outcome>;

/** One file of raw evidence; the bytes are kept apart for a day under `stored`. */
export const StoredFile = z.object({
  name: z.string(),
  evidenceId: z.string(),
  /** Bytes of the whole, before anything was cut. */
  bytes: z.number().int().min(0),
  truncated: z.boolean(),
  /** Where the bytes are kept; empty when they could not be. */
  stored: z.string(),
  /** Of one that is kept in a bucket: where it is in its object, bytes; how long that is, and what it has to be. */
  part: z
    .object({
      at: z.number().int().min(0),
      bytes: z.number().int().min(0),
      whole: z.number().int().min(0),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    })
    .optional(),
});
export type StoredFile = z.infer<typeof StoredFile>;

/** The end of a look, on its way to the thread that asked. */
export const Answer = z.object({
  requestId: z.string(),
  request: Request,
  outcome: Outcome,
  files: z.array(StoredFile),
});
export type Answer = z.infer<typeof Answer>;

/** A payload that nobody could read, on its way to the thread that it came from. */
export const Refusal = z.object({ requestId: z.string(), origin: Origin, failure: Failure });
export type Refusal = z.infer<typeof Refusal>;

/** What the answers queue carries. */
export const AnswerMessage = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('answer'), answer: Answer }),
  z.object({ kind: z.literal('refusal'), refusal: Refusal }),
]);
export type AnswerMessage = z.infer<typeof AnswerMessage>;

/** What a step left in the journal of its request. */
export const JournalEntry = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('began'), delivery: z.string() }),
  z.object({ kind: z.literal('step'), delivery: z.string(), probe: z.string(), impacts: z.array(z.string()) }),
]);
export type JournalEntry = z.infer<typeof JournalEntry>;

/** The little that is needed to tell a thread that its payload could not be read. */
const Traceable = z.union([
  z.object({ id: z.string(), origin: Origin }),
  z.object({ request: z.object({ id: z.string(), origin: Origin }) }).transform(({ request }) => request),
  z
    .object({ answer: z.object({ request: z.object({ id: z.string(), origin: Origin }) }) })
    .transform(({ answer }) => answer.request),
  z.object({ refusal: z.object({ requestId: z.string(), origin: Origin }) }).transform(({ refusal }) => ({
    id: refusal.requestId,
    origin: refusal.origin,
  })),
]);

/** Id and origin of a payload that does not parse as a whole, or null when not even those can be read. */
export const whereFrom = (payload: unknown): { id: string; origin: Origin } | null =>
  Traceable.safeParse(payload).data ?? null;

/** The first few problems of a payload, in one line for the log: `host: a host name has only letters…`. */
export const problems = (error: z.ZodError): string =>
  error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.join('.') || 'payload'}: ${issue.message}`)
    .join('; ');
