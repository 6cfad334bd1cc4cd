import { z } from 'zod';
import { verified } from '../../playbooks/verify.ts';
import { defineErrand } from '../errand.ts';
import { postWhole } from '../followups/last-look.shared.ts';
import { saidAgain, sayInThread, Verifying } from '../verifying.ts';

/** Both looks are there: whether the cause is gone, and before and after side by side. */
export const verifyDone = defineErrand({
  errand: 'verify-done',
  data: Verifying.extend({ how: z.string(), requestId: z.string() }),
  run: async ({ how, requestId, ...verifying }, _at, { attempt }, bot) => {
    const [before, after] = await Promise.all([bot.queue.answerTo(verifying.before), bot.queue.answerTo(requestId)]);
    const say = (sentence: string) => sayInThread(verifying, 'verify', sentence, attempt, bot);
    if (before?.outcome.kind !== 'report' || after === null)
      return await say('The look to compare with has expired, so I cannot tell whether the cause is gone.');
    if (after.outcome.kind === 'failure')
      return await say(`It cannot be told whether the cause is gone: ${after.outcome.failure.sentence}`);
    const { parts, title, verdict } = verified(before.outcome.report, after.outcome.report, how);
    const { channel, at } = verifying.mention;
    const looks = { before: verifying.before, after: requestId, threadTs: verifying.thread.ts };
    const plainTitle = title.replaceAll('`', '');
    const kept = { kind: 'verification', channel, at, ...looks, verdict, title: plainTitle } as const;
    await bot.history?.keepNote(`verification-${requestId}`, kept);
    await postWhole(saidAgain(verifying, attempt), bot, parts, plainTitle, 'verify.txt');
  },
});
