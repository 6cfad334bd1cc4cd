import { z } from 'zod';
import { noted } from '../approvals/noted.ts';
import { decide, showNotRun } from '../approvals/settle.ts';
import { Wanted } from '../approvals/wanted.ts';
import { defineErrand } from '../errand.ts';

const PRESS = 'nobody';

/** The end of the time in which a look can be approved: what nobody has decided by then is not run. */
export const approvalOver = defineErrand({
  errand: 'approval-over',
  data: z.object({ wanted: Wanted, messageTs: z.string() }),
  run: async ({ wanted, messageTs }, _at, _delivery, bot) => {
    const over = { verdict: 'expired', user: wanted.user, press: PRESS, at: wanted.until } as const;
    const stands = await decide(bot, wanted.asked.id, over);
    if (stands.press !== PRESS) return;
    await noted(bot, 'expired', wanted, wanted.user);
    await showNotRun(wanted, messageTs, stands, bot);
  },
});
