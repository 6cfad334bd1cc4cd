import type { Report } from '../../playbooks/model/index.ts';
import type { Pressed } from '../action.ts';
import type { BotContext } from '../context.ts';
import type { Said } from '../follow-up.ts';
import type { AboutLook } from '../thread/report-buttons.ts';

/** What the presser would have said in the thread, with the button's look as what the thread is about. */
export const saidBy = ({ press, attempt }: Pressed, { threadTs, look }: AboutLook, words: string[] = []): Said => {
  const { id, team, channel, user, messageTs, at } = press;
  return {
    mention: { kind: 'mention', id, team, channel, user, ts: messageTs, threadTs, text: '', at },
    words,
    thread: { ts: threadTs, mark: look },
    attempt,
  };
};

/** Does what a thread command does. Returns its sentence. */
export const asFollowUp = async (verb: string, said: Said, bot: BotContext): Promise<string | null> => {
  const followUp = bot.followUps.get(verb);
  return followUp === undefined ? `I no longer know \`${verb}\`.` : await followUp.run(said, bot);
};

/** The report of the look that a button is about, while it is kept. Throws QueueUnavailable. */
export const reportOf = async ({ look }: AboutLook, bot: BotContext): Promise<Report | null> => {
  const answer = await bot.queue.answerTo(look.request_id);
  return answer?.outcome.kind === 'report' ? answer.outcome.report : null;
};

export const GONE = 'I no longer have that look: they are kept for a day. Its files are still in the thread.';
