import { fixParts, headline } from '../../playbooks/report-parts.ts';
import { renderParts } from '../thread/render.ts';
import { aboutLastLook, postAbout } from './last-look.shared.ts';

/** The fixes in full. */
export const fix = aboutLastLook(
  { verb: 'fix', usage: '', summary: 'what to change, in full' },
  async ({ report }, said, bot) => {
    if (report.findings.every((finding) => finding.fixes.length === 0))
      return 'Nothing was found that would have to be fixed.';
    await postAbout(said, bot, renderParts(fixParts(report), `Fixes: ${headline(report)}`));
    return null;
  },
);
