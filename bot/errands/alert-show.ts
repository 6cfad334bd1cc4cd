import { z } from 'zod';
import { showGroup } from '../alerts/show.ts';
import { defineErrand } from '../errand.ts';

/** Brings the thread of an alert group up to date. */
export const alertShow = defineErrand({
  errand: 'alert-show',
  data: z.object({ group: z.string() }),
  run: async ({ group }, _at, _delivery, bot) => {
    await showGroup(bot, group);
  },
});
