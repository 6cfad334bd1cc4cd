import type { FollowUp } from '../follow-up.ts';
import { cancelAll } from '../thread/cancel.ts';

const NOTHING = 'Nothing of this thread runs or waits now, so there is nothing to cancel.';

/** Ends all that this thread has asked for and that has no answer yet, and takes back what nobody has said yes to. */
export const cancel: FollowUp = {
  verb: 'cancel',
  usage: '',
  summary:
    'end the looks and watches of this thread that run or wait, and withdraw what waits for a yes; what was learnt is told',
  run: async ({ mention }, bot) => {
    const { channel, threadTs = mention.ts, id, user } = mention;
    const here = (place: { readonly channel: string; readonly threadTs: string }) =>
      place.channel === channel && place.threadTs === threadTs;
    const said = await cancelAll(bot, {
      id,
      user,
      looks: ({ origin }) => origin.kind === 'slack' && here(origin),
      watches: here,
      approvals: here,
    });
    return said ?? NOTHING;
  },
};
