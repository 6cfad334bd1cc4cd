import { defineAction } from '../action.ts';
import { approvalRefusal, decide, decidedSentence, makeLook } from '../approvals/settle.ts';
import { Wanted } from '../approvals/wanted.ts';

/** Somebody's yes to a look that needs one. */
export const approve = defineAction({
  action: 'approve',
  data: Wanted,
  showsItself: true,
  refusal: approvalRefusal,
  run: async (wanted, { press, attempt }, bot) => {
    const yes = { verdict: 'approved', user: press.user, press: press.id, at: press.at } as const;
    const stands = await decide(bot, wanted.asked.id, yes);
    if (stands.press !== press.id) return decidedSentence(stands);
    await makeLook(wanted, press, stands, attempt, bot);
    return null;
  },
});
