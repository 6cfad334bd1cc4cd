import { z } from 'zod';
import { defineErrand } from '../errand.ts';
import { refreshHome } from '../home/home.ts';
import { sightOf } from '../sight.ts';
import { cancelAll } from '../thread/cancel.ts';

/** A look is ended within about this time; then the home tab shows it no longer. */
const ENDED_SECONDS = 3;

/** Ends a look for somebody who pressed it in their home tab. */
export const cancelLook = defineErrand({
  errand: 'cancel-look',
  data: z.object({ user: z.string(), requestId: z.string().min(1) }),
  run: async ({ user, requestId }, at, _delivery, bot) => {
    // The home tab says why they may not.
    if ((await bot.access.refusal({ team: bot.me.teamId, user })) === null) {
      const looks = ({ id }: { readonly id: string }) => id === requestId;
      // What they may not see is not among them, whatever a press carries.
      const wish = {
        id: `${user}-${at}`,
        user,
        looks,
        watches: () => false,
        approvals: () => false,
        sees: sightOf(user, bot),
      };
      bot.log.info({ user, requestId, said: await cancelAll(bot, wish) }, 'look cancelled from the home tab');
    }
    await refreshHome(user, bot);
    await refreshHome(user, bot, ENDED_SECONDS);
  },
});
