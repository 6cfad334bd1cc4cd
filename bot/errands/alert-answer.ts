import { z } from 'zod';
import { takeAnswer } from '../alerts/answered.ts';
import { defineErrand } from '../errand.ts';

/** The look that an alert asked for is done. */
export const alertAnswer = defineErrand({
  errand: 'alert-answer',
  data: z.object({ group: z.string(), requestId: z.string() }),
  run: ({ group, requestId }, _at, delivery, bot) => takeAnswer(group, requestId, delivery, bot),
});
