import type { FollowUp } from '../follow-up.ts';
import { looksIn } from './last-look.shared.ts';
import { lookWithThreads, tellThread } from './thread.shared.ts';
import { askForLook } from './tool.shared.ts';

/** The errand that tells of the thread when a look that was made for it has ended. */
const ERRAND = 'tell-thread';
const LOOKS_TRIED = 5;
const MOST_NAME = 200;

/** All that is known of one thread, from the last look that saw threads; where none is kept, from a new one. */
export const thread: FollowUp = {
  verb: 'thread',
  usage: 'TID|NAME',
  summary: 'all that the last look knows of one thread: what it does, waits for and holds, with its stacks',
  fits: (words) => words.length === 1 && /^\d+$/.test(words[0] ?? ''),
  run: async (said, bot) => {
    if (said.thread === null) return 'Say `thread` and its id in a thread that I opened.';
    const wanted = said.words.join(' ');
    if (wanted === '' || wanted.length > MOST_NAME)
      return 'Which thread? Give its id or its name: `thread 6331`, or `thread worker-3`.';
    const ids = await looksIn(said, bot);
    for (const id of ids.slice(0, LOOKS_TRIED)) {
      const answer = await bot.queue.answerTo(id);
      const look = answer === null ? null : await lookWithThreads(answer, bot);
      if (answer !== null && look !== null) return await tellThread(wanted, { answer, look }, said, bot);
    }
    const { host, pid } = said.thread.mark;
    if (host === undefined || pid === undefined) return 'I cannot see in this thread which process was looked at.';
    const { mention } = said;
    const handTo = { errand: ERRAND, data: { wanted, mention, threadTs: said.thread.ts, mark: said.thread.mark } };
    const why = 'No evidence of threads is kept of this thread’s looks, so I look anew.';
    return await askForLook(said, bot, [host, String(pid), 'stacks'], undefined, { why, handTo });
  },
};
