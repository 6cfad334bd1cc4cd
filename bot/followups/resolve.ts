import type { FollowUp } from '../follow-up.ts';
import { lasted, resolve as resolveThread } from '../thread/resolved.ts';

/** The thread's matter is done with. */
export const resolve: FollowUp = {
  verb: 'resolve',
  usage: '',
  summary: 'say that this is done with; `again` opens it again',
  run: async ({ mention, thread }, bot) => {
    if (thread === null) return 'There is nothing to resolve here: say `resolve` in a thread that I opened.';
    const { id, user, at, channel } = mention;
    const place = { channel, threadTs: thread.ts };
    const by = { id, user, at };
    const before = await resolveThread(place, by, bot);
    return typeof before === 'string'
      ? `Resolved after ${lasted(place, by)}. Say \`again\` to look again and open it once more.`
      : 'This has been resolved already. Say `again` to look again and open it once more.';
  },
};
