import { defineAction } from '../action.ts';
import { noted } from '../approvals/noted.ts';
import { approvalRefusal, decide, decidedSentence, showNotRun } from '../approvals/settle.ts';
import { Wanted } from '../approvals/wanted.ts';

/** Somebody's no to a look that needs a yes. Whoever asked may take it back. */
export const refuse = defineAction({
  action: 'refuse',
  data: Wanted,
  showsItself: true,
  refusal: async (wanted, press, bot) =>
    press.user === wanted.user ? null : await approvalRefusal(wanted, press, bot),
  run: async (wanted, { press }, bot) => {
    const no = { verdict: 'refused', user: press.user, press: press.id, at: press.at } as const;
    const stands = await decide(bot, wanted.asked.id, no);
    if (stands.press !== press.id) return decidedSentence(stands);
    await noted(bot, 'refused', wanted, press.user);
    await showNotRun(wanted, press.messageTs, stands, bot);
    return null;
  },
});
