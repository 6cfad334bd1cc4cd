import type { LanguageSetting } from '../infra/language.ts';
import { languageFor } from '../infra/language.ts';
import type { BotQueue } from '../infra/queue/bot-side.ts';
import type { Notes } from '../infra/queue/notes.ts';
import type { Origin, Request } from '../playbooks/model/index.ts';
import type { Language } from '../playbooks/words/index.ts';
import type { Access } from './access.ts';

/** In which language something is shown: that of who asked first in a thread, or the site's. */
export interface Languages {
  /** Where nobody asked: for alerts. */
  readonly ofSite: Language;
  /** Of somebody whose access has just been checked. */
  readonly ofUser: (user: string) => Language;
  /** Of a look, which knows the locale of its thread. */
  readonly ofLook: (origin: Origin) => Language;
  /** Of a thread; `user` is who says something in it, and decides where nobody has before. Throws QueueUnavailable. */
  readonly ofThread: (channel: string, threadTs: string, user: string) => Promise<Language>;
  /** Of a thread that there is, without deciding it. Throws QueueUnavailable. */
  readonly ofOpenThread: (channel: string, threadTs: string) => Promise<Language>;
  /** The locale of a thread, `zh-CN`; null where the site's language is taken. Throws QueueUnavailable. */
  readonly localeOfThread: (channel: string, threadTs: string, user: string | null) => Promise<string | null>;
}

const KIND = 'thread-locale';
const THIRTY_DAYS = 30 * 86_400;

/** `setting` is the site's. The locale of a thread is a note, written once by whichever bot comes first. */
export const openLanguages = (setting: LanguageSetting, notes: Notes, access: Access): Languages => {
  const localeOfThread: Languages['localeOfThread'] = async (channel, threadTs, user) => {
    if (setting !== 'reader') return null;
    const id = `${channel}-${threadTs}`;
    // Nobody asked in the thread of an alert: it has the site's language, whoever says something in it later.
    const locale = user === null ? '' : access.localeOf(user);
    if (locale !== null && (await notes.claim(KIND, id, locale, THIRTY_DAYS))) return locale === '' ? null : locale;
    const kept = await notes.get(KIND, id);
    return typeof kept === 'string' && kept !== '' ? kept : null;
  };
  return {
    ofSite: languageFor(setting, null),
    ofUser: (user) => languageFor(setting, access.localeOf(user)),
    ofLook: (origin) => languageFor(setting, origin.kind === 'slack' ? origin.locale : undefined),
    ofThread: async (channel, threadTs, user) => languageFor(setting, await localeOfThread(channel, threadTs, user)),
    ofOpenThread: async (channel, threadTs) => {
      if (setting !== 'reader') return languageFor(setting, null);
      const kept = await notes.get(KIND, `${channel}-${threadTs}`);
      return languageFor(setting, typeof kept === 'string' ? kept : null);
    },
    localeOfThread,
  };
};

/**
 * The queue with each request told in which language its thread is. Access has been checked just before, so that it is known
 * without asking Slack again; where it is not (another bot did that), the site's language is taken.
 */
export const queueForReaders = (queue: BotQueue, languages: Languages): BotQueue => ({
  ...queue,
  enqueue: async (request: Request) => {
    const { origin } = request;
    if (origin.kind !== 'slack') return await queue.enqueue(request);
    const asker = origin.via === 'alert' ? null : origin.user;
    const locale = await languages.localeOfThread(origin.channel, origin.threadTs, asker);
    if (locale === null) return await queue.enqueue(request);
    return await queue.enqueue({ ...request, origin: { ...origin, locale } });
  },
});
