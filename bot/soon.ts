import { SlackAway } from './slack/errors.ts';

/** Slack wants its acknowledgement within three seconds; this leaves time for the queue. */
const SOON_MS = 1_200;

/** What a question to Slack brings, if it brings it in time for an acknowledgement. Throws SlackAway when it does not. */
export const soon = async <T>(method: string, answer: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new SlackAway(method)), SOON_MS);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
};
