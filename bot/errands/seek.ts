import { defineErrand } from '../errand.ts';
import { Seeking, seek as seekProcess } from '../seek.ts';
import { tellAsker } from '../thread/candidates.ts';

/** Asks the workers which process is meant, for somebody who may ask. */
export const seek = defineErrand({
  errand: 'seek',
  data: Seeking,
  run: async (seeking, _at, _delivery, bot) => {
    const { by } = seeking;
    const refusal = await bot.access.refusal(by.kind === 'command' ? by : by.mention);
    if (refusal !== null) return await tellAsker(seeking, refusal, bot);
    await seekProcess(seeking, bot);
    const { workers } = await bot.queue.status();
    if (workers > 0) return;
    await tellAsker(seeking, 'No worker is running now; the process is looked for when one does.', bot);
  },
});
