import { z } from 'zod';
import { Mention } from '../../infra/queue/messages.ts';
import { MOST_QUESTION, Question } from '../../playbooks/model/index.ts';
import type { BotContext } from '../context.ts';
import type { Said } from '../follow-up.ts';
import { requestIdOf } from '../request-id.ts';
import { Mark } from '../slack/shapes.ts';

/** Everything that is known of a question, handed from bot to worker and back: nothing of it is remembered elsewhere. */
export const Asking = z.object({
  mention: Mention,
  thread: z.object({ ts: z.string(), mark: Mark }),
  text: z.string().min(1).max(MOST_QUESTION),
  /** The message that shows what becomes of it. */
  messageTs: z.string(),
  round: z.number().int().min(1),
  process: Question.shape.process,
  /** Start time of the process in the newest look that is kept; a step that meets another one is not made. */
  startTime: z.string().optional(),
  looks: Question.shape.looks,
  spent: Question.shape.spent,
  /** The steps that were made for it, as the model named them. */
  made: z.array(z.object({ verb: z.string(), text: z.string().nullable() })),
});
export type Asking = z.infer<typeof Asking>;

/** The errand that gets what becomes of a round. */
const ERRAND = 'replied';

/** Under which the files of what the model saw are kept, one for each round. */
export const transcriptId = (questionId: string, round: number): string => `${questionId}.${round}`;

/** What the question's asker would have said; a step of it under an id of its own. */
export const saidFor = ({ mention, thread, made }: Asking, attempt: number, step: boolean): Said => ({
  mention: step ? { ...mention, id: `${mention.id}-s${made.length}` } : mention,
  words: [],
  thread,
  attempt,
});

/** Hands a round of a question to the workers. Safe to repeat. Throws QueueUnavailable and SlackAway. */
export const putQuestion = async (
  asking: Asking,
  { may, offers }: Pick<Question, 'may' | 'offers'>,
  { queue, languages }: Pick<BotContext, 'queue' | 'languages'>,
): Promise<void> => {
  const { mention, thread, text, round, process, looks, spent, made } = asking;
  const { team, channel, user } = mention;
  const locale = await languages.localeOfThread(channel, thread.ts, user);
  // What took nothing and was made already would show the same again.
  const left = may.filter(({ verb, takes }) => takes !== undefined || !made.some((each) => each.verb === verb));
  await queue.ask({
    id: `${requestIdOf(team, mention.id)}-q${round}`,
    round,
    text,
    channel,
    ...(locale === null ? {} : { locale }),
    process,
    looks,
    may: left,
    offers,
    spent,
    handTo: { errand: ERRAND, data: asking },
  });
};
