import { z } from 'zod';
import { defineErrand } from '../errand.ts';
import { workOnWatch } from '../watches/run.ts';

/** The work of a watch: its next look, the answer to one, the end of its time. */
export const watch = defineErrand({
  errand: 'watch',
  data: z.object({
    watch: z.string(),
    round: z.number().int().optional(),
    requestId: z.string().optional(),
  }),
  run: (data, _at, { attempt }, bot) => workOnWatch(bot, data, attempt),
});
