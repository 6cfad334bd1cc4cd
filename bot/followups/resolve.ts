import type { FollowUp } from '../follow-up.ts';
import { lasted, resolve as resolveThread } from '../thread/resolved.ts';

const MOST_NOTE = 1_000;

/** The thread's matter is done with. */
export const resolve: FollowUp = {
  verb: 'resolve',
  usage: '[what helped]',
  summary: 'say that this is done with, and what helped, for the next time; `again` opens it again',
  // People also say to each other what they resolve.
  fits: (words) => words.length === 0,
  run: async ({ mention, thread, words }, bot) => {
    if (thread === null) return 'There is nothing to resolve here: say `resolve` in a thread that I opened.';
    const { id, user, at, channel } = mention;
    const place = { channel, threadTs: thread.ts };
    const by = { id, user, at };
    const before = await resolveThread(place, by, bot, words.length === 0 ? null : words.join(' ').slice(0, MOST_NOTE));
    return typeof before === 'string'
      ? `Resolved after ${lasted(place, by)}. Say \`again\` to look again and open it once more.`
      : 'This has been resolved already. Say `again` to look again and open it once more.';
  },
};
