import { z } from 'zod';
import { Mention } from '../../infra/queue/messages.ts';
import { defineErrand } from '../errand.ts';
import { postAbout } from '../followups/last-look.shared.ts';
import { lookWithThreads, tellThread } from '../followups/thread.shared.ts';
import { Mark } from '../slack/shapes.ts';
import { sentenceContent } from '../thread/first-message.ts';

/** The look that was made because somebody asked for a thread is done: tells of the thread. Its failure tells itself. */
export const tellThreadErrand = defineErrand({
  errand: 'tell-thread',
  data: z.object({ wanted: z.string(), mention: Mention, threadTs: z.string(), mark: Mark, requestId: z.string() }),
  run: async ({ wanted, mention, threadTs, mark, requestId }, _at, { attempt }, bot) => {
    const answer = await bot.queue.answerTo(requestId);
    if (answer?.outcome.kind !== 'report') return;
    const said = { mention, words: [], thread: { ts: threadTs, mark }, attempt };
    const look = await lookWithThreads(answer, bot);
    const sentence =
      look === null
        ? `That look saw no threads, so I know nothing of this one.`
        : await tellThread(wanted, { answer, look }, said, bot);
    if (sentence !== null) await postAbout(said, bot, sentenceContent(sentence));
  },
});
