import { fixParts, headline } from '../../playbooks/report-parts.ts';
import { inLanguage } from '../../playbooks/words/index.ts';
import { aboutLastLook, postWhole } from './last-look.shared.ts';

/** The fixes in full. */
export const fix = aboutLastLook(
  { verb: 'fix', usage: '', summary: 'what to change, in full' },
  async ({ report, answer }, said, bot) => {
    if (report.findings.every((finding) => finding.fixes.length === 0))
      return 'Nothing was found that would have to be fixed.';
    const language = bot.languages.ofLook(answer.request.origin);
    const title = inLanguage('Fixes', language);
    await postWhole(
      said,
      bot,
      fixParts(report, language),
      `${title}: ${headline(report, language)}`,
      'fixes.txt',
      language,
    );
    return null;
  },
);
