import { z } from 'zod';

/** The site's language. `reader`: that of who asked, as far as there are texts in it, else English. */
export const LanguageSetting = z.enum(['reader', 'en', 'zh']);
export type LanguageSetting = z.infer<typeof LanguageSetting>;

/** The language for somebody with this locale (`zh-CN`, as Slack or `LANG` has it) at a site with this setting. */
export const languageFor = (setting: LanguageSetting, locale: string | null | undefined): 'en' | 'zh' => {
  if (setting !== 'reader') return setting;
  return /^zh(?![a-z])/i.test(locale ?? '') ? 'zh' : 'en';
};
