import { headline, whyParts } from '../../playbooks/report-parts.ts';
import { inLanguage } from '../../playbooks/words/index.ts';
import { aboutLastLook, postWhole } from './last-look.shared.ts';

/** How the findings follow from the evidence, and what was ruled out. */
export const why = aboutLastLook(
  { verb: 'why', usage: '', summary: 'how the findings follow from the evidence, and what was ruled out' },
  async ({ report, answer }, said, bot) => {
    const language = bot.languages.ofLook(answer.request.origin);
    const title = inLanguage('Why', language);
    await postWhole(
      said,
      bot,
      whyParts(report, language),
      `${title}: ${headline(report, language)}`,
      'why.txt',
      language,
    );
    return null;
  },
);
