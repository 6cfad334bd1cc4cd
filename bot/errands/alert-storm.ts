import { z } from 'zod';
import { showStorm } from '../alerts/storm.ts';
import { defineErrand } from '../errand.ts';

/** Brings the message of a storm of alerts up to date. */
export const alertStorm = defineErrand({
  errand: 'alert-storm',
  data: z.object({ storm: z.string() }),
  run: async ({ storm }, _at, _delivery, bot) => {
    await showStorm(bot, storm);
  },
});
