import { headline, whyParts } from '../../playbooks/report-parts.ts';
import { inLanguage } from '../../playbooks/words/index.ts';
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
    const { channel, user } = pressed.press;
    const language = await bot.languages.ofThread(channel, data.threadTs, user);
    const title = `${inLanguage('Why', language)}: ${headline(report, language)}`;
    await postWhole(saidBy(pressed, data), bot, whyParts(report, language), title, 'why.txt', language);
    return null;
  },
});
