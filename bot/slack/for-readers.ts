import type { Language } from '../../playbooks/words/index.ts';
import type { Languages } from '../language.ts';
import type { SlackApi } from './api.ts';
import { contentInLanguage, inReadersLanguage, textInLanguage } from './in-language.ts';
import type { Content } from './shapes.ts';

const privately = (said: string | Content, language: Language): string | Content =>
  typeof said === 'string' ? textInLanguage(said, language) : contentInLanguage(said, language);

/**
 * Slack with everything shown in the language of who reads it: what is in a thread in the thread's, what one person sees in
 * theirs. The first message of a thread is shown in the site's, unless who posts it has put it into the asker's already.
 */
export const slackForReaders = (slack: SlackApi, languages: Languages): SlackApi => ({
  ...slack,
  post: async (place, content, mark) => {
    const { channel, threadTs } = place;
    const language = threadTs === undefined ? languages.ofSite : await languages.ofOpenThread(channel, threadTs);
    const ts = await slack.post(place, contentInLanguage(content, language), mark);
    // Nobody asked for it: whoever speaks in it later does not change its language.
    if (threadTs === undefined && mark.alert === true) await languages.localeOfThread(channel, ts, null);
    return ts;
  },
  edit: async (place, content, mark, busy) => {
    const language = await languages.ofOpenThread(place.channel, place.threadTs ?? place.ts);
    await slack.edit(place, contentInLanguage(content, language), mark, busy);
  },
  ephemeral: (place, said) => slack.ephemeral(place, privately(said, languages.ofUser(place.user))),
  openView: (trigger, view, user) => slack.openView(trigger, inReadersLanguage(view, languages.ofUser(user)), user),
  publish: (user, view) => slack.publish(user, inReadersLanguage(view, languages.ofUser(user))),
  respond: (url, said, user) => slack.respond(url, privately(said, languages.ofUser(user)), user),
});
