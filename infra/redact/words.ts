import { redactor, type SiteRules } from './redactor.ts';
import { scanForSecrets } from './scan.ts';

/** What a person typed, with placeholders for the secrets in it; null when it could not be checked, and then it goes nowhere. */
export const wordsWithoutSecrets = async (text: string, site: SiteRules): Promise<string | null> => {
  try {
    return redactor(await scanForSecrets([text]), site).text(text);
  } catch {
    return null;
  }
};
