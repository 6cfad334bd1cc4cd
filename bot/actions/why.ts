import { headline, whyParts } from '../../playbooks/report-parts.ts';
import { defineAction } from '../action.ts';
import { postWhole } from '../followups/last-look.shared.ts';
import { AboutLook } from '../thread/report-buttons.ts';
import { GONE, reportOf, saidBy } from './look.shared.ts';

/** How the findings of this look follow from the evidence. */
export const why = defineAction({
  action: 'why',
  data: AboutLook,
  run: async (data, pressed, bot) => {
    const report = await reportOf(data, bot);
    if (report === null) return GONE;
    await postWhole(saidBy(pressed, data), bot, whyParts(report), `Why: ${headline(report)}`, 'why.txt');
    return null;
  },
});
