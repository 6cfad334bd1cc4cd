import { headline, whyParts } from '../../playbooks/report-parts.ts';
import { defineAction } from '../action.ts';
import { postAbout } from '../followups/last-look.shared.ts';
import { renderParts } from '../thread/render.ts';
import { AboutLook } from '../thread/report-buttons.ts';
import { GONE, reportOf, saidBy } from './look.shared.ts';

/** How the findings of this look follow from the evidence. */
export const why = defineAction({
  action: 'why',
  data: AboutLook,
  run: async (data, pressed, bot) => {
    const report = await reportOf(data, bot);
    if (report === null) return GONE;
    await postAbout(saidBy(pressed, data), bot, renderParts(whyParts(report), `Why: ${headline(report)}`));
    return null;
  },
});
