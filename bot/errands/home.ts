import { z } from 'zod';
import { defineErrand } from '../errand.ts';
import { showHome } from '../home/home.ts';

/** Nobody looks any more at what they opened so long ago. */
const TOO_LATE_MS = 60_000;

/** Shows somebody their home tab. */
export const home = defineErrand({
  errand: 'home',
  data: z.object({ user: z.string() }),
  run: async ({ user }, at, _delivery, bot) => {
    if (bot.queue.now() - at > TOO_LATE_MS) return;
    await showHome(user, bot);
  },
});
