import { headline, whyParts } from '../../playbooks/report-parts.ts';
import { renderParts } from '../thread/render.ts';
import { aboutLastLook, postAbout } from './last-look.shared.ts';

/** How the findings follow from the evidence, and what was ruled out. */
export const why = aboutLastLook(
  { verb: 'why', usage: '', summary: 'how the findings follow from the evidence, and what was ruled out' },
  async ({ report }, said, bot) => {
    await postAbout(said, bot, renderParts(whyParts(report), `Why: ${headline(report)}`));
    return null;
  },
);
