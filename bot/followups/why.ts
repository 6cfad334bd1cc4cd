import { headline, whyParts } from '../../playbooks/report-parts.ts';
import { aboutLastLook, postWhole } from './last-look.shared.ts';

/** How the findings follow from the evidence, and what was ruled out. */
export const why = aboutLastLook(
  { verb: 'why', usage: '', summary: 'how the findings follow from the evidence, and what was ruled out' },
  async ({ report }, said, bot) => {
    await postWhole(said, bot, whyParts(report), `Why: ${headline(report)}`, 'why.txt');
    return null;
  },
);
