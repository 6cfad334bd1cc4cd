import type { Answer } from '../../infra/queue/messages.ts';
import type { Report } from '../../playbooks/model/index.ts';
import type { BotContext } from '../context.ts';
import type { FollowUp, Said } from '../follow-up.ts';
import type { Content } from '../slack/shapes.ts';
import { markOf, postOnce } from '../thread/post-once.ts';

/** The newest look of a thread whose answer is still kept. */
export interface LastLook {
  readonly answer: Answer;
  readonly report: Report;
}

const NONE = 'I have no finished look of this thread any more: they are kept for a day. Say `again` for a new one.';

/** The ids of the looks that a thread's messages show, newest first. */
const looksIn = async ({ mention, thread }: Said, { slack, me }: BotContext): Promise<string[]> => {
  const ids: string[] = [];
  if (thread === null) return ids;
  await slack.scan({ channel: mention.channel, threadTs: thread.ts }, (message) => {
    const mark = markOf(message, me.botId);
    if (mark !== null && (mark.part === 'first' || mark.part === 'look' || mark.part === 'again'))
      ids.unshift(mark.request_id);
    return false;
  });
  return [...new Set(ids)];
};

/** The newest look of the thread that `wanted` accepts; null when none is kept. Throws QueueUnavailable. */
export const lastLook = async (
  said: Said,
  bot: BotContext,
  wanted: (report: Report) => boolean = () => true,
): Promise<LastLook | null> => {
  for (const id of await looksIn(said, bot)) {
    const answer = await bot.queue.answerTo(id);
    if (answer?.outcome.kind === 'report' && wanted(answer.outcome.report)) {
      return { answer, report: answer.outcome.report };
    }
  }
  return null;
};

/** Posts one more message about the thread's last look, once. */
export const postAbout = async ({ mention, attempt }: Said, bot: BotContext, content: Content): Promise<void> => {
  const place = { channel: mention.channel, threadTs: mention.threadTs ?? mention.ts, since: mention.at };
  await postOnce(bot.slack, bot.me.botId, place, content, { request_id: mention.id, part: 'reply' }, attempt);
};

/** A thread command that answers from the thread's last look, without looking at the process. */
export const aboutLastLook = (
  unit: Pick<FollowUp, 'verb' | 'usage' | 'summary'>,
  answer: (look: LastLook, said: Said, bot: BotContext) => Promise<string | null>,
): FollowUp => ({
  ...unit,
  run: async (said, bot) => {
    if (said.thread === null) return `Say \`${unit.verb}\` in a thread that I opened.`;
    const look = await lastLook(said, bot);
    return look === null ? NONE : await answer(look, said, bot);
  },
});
