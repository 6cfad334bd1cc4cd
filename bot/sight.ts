import type { BotContext } from './context.ts';
import { SlackRefused } from './slack/errors.ts';

/** Where something was asked for, and by whom, as far as it is known. */
export interface AskedIn {
  readonly channel: string;
  readonly user?: string | undefined;
}

/** Whether somebody may see what was asked for there. Throws SlackAway. */
export type Sight = (place: AskedIn) => Promise<boolean>;

/**
 * What a person may see: what was asked for in channels that are open to their workspace, in closed ones that they are in, and by
 * themselves. `here` is where they say so, so that nobody is asked about it. Slack is asked for their channels once, when it matters.
 */
export const sightOf = (
  user: string,
  { slack, isClosed, log }: Pick<BotContext, 'slack' | 'isClosed' | 'log'>,
  here: string | null = null,
): Sight => {
  let theirs: Promise<ReadonlySet<string>> | null = null;
  const closedOnesOf = async (): Promise<ReadonlySet<string>> => {
    try {
      return new Set(await slack.privateChannelsOf(user));
    } catch (error) {
      if (!(error instanceof SlackRefused)) throw error;
      log.warn({ user, code: error.code }, 'Slack does not tell which private channels somebody is in');
      return new Set();
    }
  };
  return async ({ channel, user: asker }) => {
    if (channel === here || asker === user || !(await isClosed(channel))) return true;
    theirs ??= closedOnesOf();
    return (await theirs).has(channel);
  };
};

/** Those of a list that may be seen, in its order, at most so many; what is beyond them is not looked at. Throws SlackAway. */
export const seenOf = async <T>(list: readonly T[], may: (one: T) => Promise<boolean>, most: number): Promise<T[]> => {
  const seen: T[] = [];
  for (const one of list) {
    if (seen.length === most) break;
    if (await may(one)) seen.push(one);
  }
  return seen;
};
