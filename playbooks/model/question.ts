import { z } from 'zod';
import { Claim } from './prose.ts';
import { HostName, Pid, UnitId } from './request.ts';

/** The longest question that is taken. */
export const MOST_QUESTION = 500;

/** One more look that could be made: a thread command that runs a playbook. */
export const Step = z.object({
  verb: UnitId,
  playbook: UnitId,
  summary: z.string().max(300),
  /** The one text that it takes, as an option of a probe; absent when it takes none. */
  takes: z.object({ probe: UnitId, option: z.string().max(60) }).optional(),
});
export type Step = z.infer<typeof Step>;

/** What somebody asked in a thread, in their own words, with all that is needed to answer it: nothing is remembered elsewhere. */
export const Question = z.object({
  id: z.string().min(1).max(150),
  /** Counts from 1: a question is put again when a step has been made for it. */
  round: z.number().int().min(1).max(20),
  text: z.string().min(1).max(MOST_QUESTION),
  channel: z.string(),
  /** The language of who asked, as Slack calls it: `zh-CN`. */
  locale: z.string().max(35).optional(),
  process: z.object({ host: HostName, pid: Pid }),
  /** Requests of this thread whose answers may be kept, newest first. */
  looks: z.array(z.string()).max(20),
  /** Harmless steps on this process that a model may have made now. */
  may: z.array(Step).max(40),
  /** Steps that a person can be offered. */
  offers: z.array(Step).max(40),
  /** What earlier rounds took. */
  spent: z.object({
    steps: z.number().int().min(0),
    input: z.number().int().min(0),
    output: z.number().int().min(0),
    /** When it was first asked, milliseconds since 1970. */
    since: z.number(),
  }),
});
export type Question = z.infer<typeof Question>;

/** A literal line of evidence that an answer rests on. */
export const CitedLine = z.object({ evidenceId: z.string(), probe: z.string(), text: z.string() });
export type CitedLine = z.infer<typeof CitedLine>;

/** What became of one round of a question. */
export const Reply = z.object({
  said: z.discriminatedUnion('kind', [
    /** Sentences that what was seen covers; none: it cannot be told. `offer` is the verb of a step that could tell. */
    z.object({
      kind: z.literal('answer'),
      sentences: z.array(Claim),
      lines: z.array(CitedLine),
      offer: z.string().nullable(),
      dropped: z.number().int(),
    }),
    /** A step that the model wants to have made first, with the text that it takes. */
    z.object({ kind: z.literal('step'), verb: UnitId, text: z.string().max(200).nullable() }),
    /** The model gave nothing; `note` is a clause that says why. */
    z.object({ kind: z.literal('nothing'), note: z.string() }),
    z.object({ kind: z.literal('no-model') }),
  ]),
  model: z.string(),
  /** Tokens of all rounds so far. */
  usage: z.object({ input: z.number(), output: z.number() }),
  /** US dollars for them; null when the site has not said what tokens cost. */
  price: z.number().nullable(),
});
export type Reply = z.infer<typeof Reply>;
