import { defineAction } from '../action.ts';
import { AboutLook } from '../thread/report-buttons.ts';
import { resolve as resolveThread } from '../thread/resolved.ts';

/** The thread's matter is done with. */
export const resolve = defineAction({
  action: 'resolve',
  data: AboutLook,
  run: async ({ threadTs }, { press }, bot) => {
    const { id, user, at, channel } = press;
    const before = await resolveThread({ channel, threadTs }, { id, user, at }, bot);
    if (before === 'shown') return null;
    return before === 'not-ours'
      ? 'The first message of this thread is not mine, so I cannot show in it that this is resolved.'
      : `<@${before.user}> has resolved this already.`;
  },
});
