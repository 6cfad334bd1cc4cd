import { StoredFile } from '../../infra/queue/messages.ts';
import type { BotContext } from '../context.ts';
import { PROSE_NOTE } from '../errands/prose.ts';
import type { FollowUp, Said } from '../follow-up.ts';
import { QUESTION_PART } from '../questions/ask.ts';
import { transcriptId } from '../questions/put.ts';
import { markOf } from '../thread/post-once.ts';
import { attachAbout, looksShown } from './last-look.shared.ts';

/** What a model was asked in this thread, looks and questions, newest first. */
const askedIn = async (said: Said, bot: BotContext): Promise<{ id: string; question: boolean }[]> => {
  const looks = (await looksShown(said, bot)).map(({ mark, at }) => ({ id: mark.request_id, question: false, at }));
  const questions: typeof looks = [];
  if (said.thread !== null)
    await bot.slack.scan({ channel: said.mention.channel, threadTs: said.thread.ts }, (message) => {
      const mark = markOf(message, bot.me.botId);
      if (mark?.part === QUESTION_PART) questions.push({ id: mark.request_id, question: true, at: Number(message.ts) });
      return false;
    });
  return [...looks, ...questions].sort((one, other) => other.at - one.at);
};

const kept = async (id: string, { queue }: BotContext): Promise<Uint8Array | null> => {
  const file = StoredFile.safeParse(await queue.notes.get(PROSE_NOTE, id)).data;
  return file === undefined ? null : await queue.readFile(file);
};

/** All rounds of a question, one after the other; null without any. */
const keptRounds = async (id: string, bot: BotContext): Promise<Uint8Array | null> => {
  const rounds: Uint8Array[] = [];
  for (let round = 1; ; round += 1) {
    const content = await kept(transcriptId(id, round), bot);
    if (content === null) return rounds.length === 0 ? null : Buffer.concat(rounds);
    rounds.push(content);
  }
};

/** What the model saw and said of the thread's last look or question, exactly, as a file. */
export const model: FollowUp = {
  verb: 'model',
  usage: '',
  summary: 'what the model saw and said of the last look or question, and what was left out of it and why',
  run: async (said, bot) => {
    if (said.thread === null) return 'Say `model` in a thread that I opened.';
    for (const { id, question } of await askedIn(said, bot)) {
      const content = question ? await keptRounds(id, bot) : await kept(id, bot);
      if (content === null) continue;
      await attachAbout(said, bot, `model-${id}.txt`, content);
      return null;
    }
    return 'No model has been asked about a look of this thread, or that was over a day ago.';
  },
};
