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
    return before === null ? null : `<@${before.user}> has resolved this already.`;
  },
});
