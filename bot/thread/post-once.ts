import { setTimeout as sleep } from 'node:timers/promises';
import type { SlackApi } from '../slack/api.ts';
import { SlackAway, SlackRefused } from '../slack/errors.ts';
import { type Content, MARK_EVENT, Mark, type Message } from '../slack/shapes.ts';

/** Where a message goes, and since when one of ours may be there already. */
export interface Place {
  readonly channel: string;
  /** Undefined for the first message of a thread. */
  readonly threadTs?: string | undefined;
  /** Milliseconds since 1970; nothing older is looked through. */
  readonly since: number;
}

/** Clocks of Slack and of this machine may differ by this much, ms. */
const CLOCKS_MS = 5 * 60_000;
const TRIES = 3;

/** The mark of a message, if the bot put one on it. Marks of other apps do not count. */
export const markOf = (message: Message, botId: string): Mark | null => {
  if (message.bot_id !== botId || message.metadata?.event_type !== MARK_EVENT) return null;
  return Mark.safeParse(message.metadata.event_payload).data ?? null;
};

const oldestOf = (place: Place): string => ((place.since - CLOCKS_MS) / 1_000).toFixed(6);

/**
 * The first message of ours at a place that `wanted` accepts; null when there is none, or when the bot may not read
 * the channel (then nothing can be known, and posting twice is better than not at all).
 */
export const findOurs = async (
  slack: SlackApi,
  botId: string,
  place: Place,
  wanted: (message: Message) => boolean,
): Promise<Message | null> => {
  let found: Message | null = null;
  try {
    await slack.scan({ channel: place.channel, threadTs: place.threadTs, oldest: oldestOf(place) }, (message) => {
      if (found === null && message.bot_id === botId && wanted(message)) found = message;
      return found !== null;
    });
  } catch (error) {
    if (!(error instanceof SlackRefused)) throw error;
  }
  return found;
};

/**
 * Does something that must be seen exactly once. `find` looks whether it has been done; it is asked before a repeated
 * delivery (`attempt` over 1) and after a try that got no answer. Throws SlackRefused, or SlackAway after three tries.
 */
export const once = async <T>(attempt: number, find: () => Promise<T | null>, act: () => Promise<T>): Promise<T> => {
  for (let tries = 1; ; tries += 1) {
    if (attempt > 1 || tries > 1) {
      const there = await find();
      if (there !== null) return there;
    }
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof SlackAway) || tries === TRIES) throw error;
      // Slack may still be at it: a look too early would not find what is about to appear.
      await sleep(1_000 * tries);
    }
  }
};

/** Posts a message exactly once, recognised by its mark. Returns its ts. Throws as `once` does. */
export const postOnce = (
  slack: SlackApi,
  botId: string,
  place: Place,
  content: Content,
  mark: Mark,
  attempt: number,
): Promise<string> =>
  once(
    attempt,
    async () => {
      const same = (message: Message) => {
        const there = markOf(message, botId);
        return there?.request_id === mark.request_id && there.part === mark.part;
      };
      return (await findOurs(slack, botId, place, same))?.ts ?? null;
    },
    () => slack.post(place, content, mark),
  );
