import { fixParts, headline } from '../../playbooks/report-parts.ts';
import { aboutLastLook, postWhole } from './last-look.shared.ts';

/** The fixes in full. */
export const fix = aboutLastLook(
  { verb: 'fix', usage: '', summary: 'what to change, in full' },
  async ({ report }, said, bot) => {
    if (report.findings.every((finding) => finding.fixes.length === 0))
      return 'Nothing was found that would have to be fixed.';
    await postWhole(said, bot, fixParts(report), `Fixes: ${headline(report)}`, 'fixes.txt');
    return null;
  },
);
