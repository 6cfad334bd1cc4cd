import { z } from 'zod';
import { StoredFile } from '../../infra/queue/messages.ts';
import { Prose } from '../../playbooks/model/index.ts';
import type { BotContext } from '../context.ts';
import { defineErrand } from '../errand.ts';
import { SlackRefused } from '../slack/errors.ts';
import { amend } from '../thread/amend.ts';
import { withProse } from '../thread/prose.ts';
import { showing, shows } from '../thread/showing.ts';

/** Under which what the model saw and said is kept, by the look. */
export const PROSE_NOTE = 'model-file';
const KEEP_SECONDS = 24 * 3600;

const Data = z.object({
  requestId: z.string(),
  prose: Prose.nullable(),
  note: z.string().nullable(),
  model: z.string(),
  usage: z.object({ input: z.number(), output: z.number() }),
  price: z.number().nullable(),
  dropped: z.number(),
  file: StoredFile.optional(),
});

const put = async (data: z.infer<typeof Data>, bot: BotContext): Promise<void> => {
  const answer = await bot.queue.answerTo(data.requestId);
  if (answer === null || answer.request.origin.kind !== 'slack') return;
  const { origin } = answer.request;
  const { at } = showing(answer.request, origin);
  const language = bot.languages.ofLook(origin);
  const written = { ...data, tokens: data.usage.input + data.usage.output };
  await amend(bot, { ...at, threadTs: answer.request.origin.threadTs }, (content) =>
    shows(content, data.requestId) ? withProse(content, written, language) : null,
  );
};

/** Puts what a model wrote of a report into the message that shows the look, once the report is there. */
export const prose = defineErrand({
  errand: 'prose',
  data: Data,
  run: async (data, _at, _delivery, bot) => {
    // Tried again until then: what shows the report would take the prose away.
    if (!(await bot.queue.answerShown(data.requestId))) throw new Error('the report is not shown yet');
    if (data.file !== undefined) await bot.queue.notes.set(PROSE_NOTE, data.requestId, data.file, KEEP_SECONDS);
    try {
      await put(data, bot);
    } catch (error) {
      if (!(error instanceof SlackRefused)) throw error;
      bot.log.warn({ requestId: data.requestId, code: error.code }, 'summary refused by Slack');
    }
  },
});
