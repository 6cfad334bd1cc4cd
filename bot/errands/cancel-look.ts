import { z } from 'zod';
import { defineErrand } from '../errand.ts';
import { refreshHome } from '../home/home.ts';
import { nameOf } from '../thread/cancel.ts';

/** A look is ended within about this time; then the home tab shows it no longer. */
const ENDED_SECONDS = 3;

/** Ends a look for somebody who pressed it in their home tab. */
export const cancelLook = defineErrand({
  errand: 'cancel-look',
  data: z.object({ user: z.string(), requestId: z.string().min(1) }),
  run: async ({ user, requestId }, at, _delivery, bot) => {
    // The home tab says why they may not.
    if ((await bot.access.refusal({ team: bot.me.teamId, user })) === null) {
      const by = await nameOf(bot, user);
      const cancelled = await bot.queue.cancel({ id: `${user}-${at}`, requestId, by });
      bot.log.info({ user, requestId, state: cancelled.state }, 'look cancelled from the home tab');
    }
    await refreshHome(user, bot);
    await refreshHome(user, bot, ENDED_SECONDS);
  },
});
