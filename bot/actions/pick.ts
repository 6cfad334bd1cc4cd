import { z } from 'zod';
import { defineAction } from '../action.ts';
import { lookAtChosen } from '../look-at-chosen.ts';
import { Chosen, Seeking } from '../seek.ts';

/** Looks at the process that was picked from the list. */
export const pick = defineAction({
  action: 'pick',
  data: Seeking.extend({ offered: z.array(Chosen) }),
  // The list is seen by one person only and cannot be edited.
  showsItself: true,
  run: async ({ offered, ...seeking }, { press, attempt }, bot) => {
    const chosen = offered.find(({ pid, startTime }) => press.picked === `${pid}:${startTime}`);
    if (chosen === undefined) return 'I did not offer that process. Ask again.';
    const { by, wanted } = seeking;
    // Whoever picks asks now: a thread may be opened for it however long the list was looked at.
    const now = by.kind === 'command' ? { ...by, at: press.at } : { ...by, mention: { ...by.mention, at: press.at } };
    return await lookAtChosen({ wanted, by: now }, chosen, attempt, bot);
  },
});
