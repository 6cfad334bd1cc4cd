import type { Log } from '../../infra/log.ts';
import type { SlackApi } from '../slack/api.ts';
import { SlackRefused } from '../slack/errors.ts';

/** Which channels only their members may look into. Throws SlackAway when Slack has to be asked and does not answer. */
export type IsClosed = (channel: string) => Promise<boolean>;

const REMEMBER_MS = 10 * 60_000;
const MOST = 5_000;

/** What Slack says of channels, remembered for ten minutes. One that it does not tell is taken to be closed. */
export const closedChannels = (slack: Pick<SlackApi, 'isPrivate'>, log: Log): IsClosed => {
  const remembered = new Map<string, { closed: boolean; until: number }>();
  return async (channel) => {
    const known = remembered.get(channel);
    if (known !== undefined && known.until > Date.now()) return known.closed;
    let closed = true;
    try {
      closed = await slack.isPrivate(channel);
    } catch (error) {
      if (!(error instanceof SlackRefused)) throw error;
      log.warn(
        { channel, code: error.code },
        'Slack does not tell whether a channel is private; channels:read and groups:read may be missing',
      );
    }
    if (remembered.size >= MOST) remembered.clear();
    remembered.set(channel, { closed, until: Date.now() + REMEMBER_MS });
    return closed;
  };
};
