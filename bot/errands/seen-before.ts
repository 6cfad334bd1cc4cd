import { z } from 'zod';
import { faultOf } from '../../infra/history/likeness.ts';
import { HistoryUnavailable } from '../../infra/history/trouble.ts';
import type { BotContext } from '../context.ts';
import { defineErrand } from '../errand.ts';
import { withSeenBefore } from '../history/seen-line.ts';
import { SlackRefused } from '../slack/errors.ts';
import { amend } from '../thread/amend.ts';
import { showing, shows } from '../thread/showing.ts';

/** After this time a database that is away is not waited for: nobody reads the top of the thread any more. */
const TOO_LATE_MS = 3_600_000;

const seenBefore = async (requestId: string, bot: BotContext): Promise<void> => {
  const answer = await bot.queue.answerTo(requestId);
  if (bot.history === null || answer?.outcome.kind !== 'report' || answer.request.origin.kind !== 'slack') return;
  const { origin, requestedAt: at } = answer.request;
  const finding = faultOf(answer.outcome.report);
  if (finding === null) return;
  const { channel, threadTs } = origin;
  const { target } = answer.outcome.report;
  // People of another organization read what is posted there: they are told of that channel alone.
  const shared = await bot.isShared(channel);
  const seen = await bot.history.seenBefore({ target, finding, channel, threadTs, at, onlyThere: shared });
  if (seen === null) return;
  // They were open when it was written down: the newest look, and each whose end is counted or quoted.
  const closed = new Map<string, boolean>();
  for (const each of seen.channels) if (each !== channel && (await bot.isClosed(each))) closed.set(each, true);
  if (closed.size > 0) {
    await bot.history.channels(closed);
    return await seenBefore(requestId, bot);
  }
  const message = { ...showing(answer.request, origin).at, threadTs };
  await amend(bot, message, (content) =>
    shows(content, requestId) ? withSeenBefore(content, seen, bot.me.url) : null,
  );
};

/** Says under a report when its trouble was seen before and what helped; nothing when it was not. */
export const seenBeforeErrand = defineErrand({
  errand: 'seen-before',
  data: z.object({ requestId: z.string() }),
  run: async ({ requestId }, at, _delivery, bot) => {
    // Tried again until then: what shows the report would take the line away.
    if (!(await bot.queue.answerShown(requestId))) throw new Error('the report is not shown yet');
    try {
      await seenBefore(requestId, bot);
    } catch (error) {
      if (error instanceof HistoryUnavailable && bot.queue.now() - at > TOO_LATE_MS) return;
      if (!(error instanceof SlackRefused)) throw error;
      bot.log.warn({ requestId, code: error.code }, 'what was seen before refused by Slack');
    }
  },
});
