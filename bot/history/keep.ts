import type { Answer } from '../../infra/queue/messages.ts';
import type { Origin } from '../../playbooks/model/index.ts';
import { headline, verdictOf } from '../../playbooks/report-parts.ts';
import type { BotContext } from '../context.ts';
import { SlackAway } from '../slack/errors.ts';

type SlackOrigin = Extract<Origin, { kind: 'slack' }>;

/** A watch looks every few seconds; what it finds is said in its thread, and its looks are no investigations by themselves. */
const isRound = ({ handTo }: SlackOrigin): boolean => handTo?.errand === 'watch';

const isClosed = async (bot: BotContext, channel: string): Promise<boolean> => {
  try {
    return await bot.isClosed(channel);
  } catch (error) {
    if (!(error instanceof SlackAway)) throw error;
    // Asked again before anything of it is shown elsewhere.
    return true;
  }
};

/** Has an answer written into the history. Safe to repeat. Throws QueueUnavailable. */
export const keepAnswer = async (answer: Answer, origin: SlackOrigin, bot: BotContext): Promise<void> => {
  if (bot.history === null || isRound(origin)) return;
  const { outcome } = answer;
  const ended =
    outcome.kind === 'report'
      ? { headline: headline(outcome.report).replaceAll('`', ''), state: verdictOf(outcome.report).verdict }
      : {
          headline: outcome.failure.sentence,
          state: outcome.failure.code === 'cancelled' ? 'cancelled' : 'failed',
        };
  await bot.history.keepLook({ answer, ...ended, private: await isClosed(bot, origin.channel) });
};

/** Sets the errand that puts under a report what was seen before. Throws QueueUnavailable. */
export const compareWithHistory = async ({ request, outcome }: Answer, bot: BotContext): Promise<void> => {
  if (bot.history === null || outcome.kind !== 'report' || verdictOf(outcome.report).verdict !== 'fault') return;
  const { id } = request;
  const errand = { errand: 'seen-before', data: { requestId: id }, at: bot.queue.now() };
  await bot.queue.accept({ kind: 'errand', id: `seen-before-${id}`, ...errand });
};
