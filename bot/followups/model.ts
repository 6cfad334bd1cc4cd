import { StoredFile } from '../../infra/queue/messages.ts';
import { PROSE_NOTE } from '../errands/prose.ts';
import type { FollowUp } from '../follow-up.ts';
import { attachAbout, looksIn } from './last-look.shared.ts';

/** What the model saw and said of the thread's last look, exactly, as a file. */
export const model: FollowUp = {
  verb: 'model',
  usage: '',
  summary: 'what the model saw and said of the last look, and what was left out of it and why',
  run: async (said, bot) => {
    if (said.thread === null) return 'Say `model` in a thread that I opened.';
    for (const id of await looksIn(said, bot)) {
      const file = StoredFile.safeParse(await bot.queue.notes.get(PROSE_NOTE, id)).data;
      const content = file === undefined ? null : await bot.queue.readFile(file);
      if (content === null) continue;
      await attachAbout(said, bot, `model-${id}.txt`, content);
      return null;
    }
    return 'No model has been asked about a look of this thread, or that was over a day ago.';
  },
};
