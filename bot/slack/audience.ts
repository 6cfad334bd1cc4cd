import type { Log } from '../../infra/log.ts';
import type { SlackApi } from './api.ts';
import { SlackRefused } from './errors.ts';

/** Who can read what is posted in channels. Each throws SlackAway when Slack has to be asked and does not answer. */
export interface Audiences {
  /** Whether only its members may look into a channel. */
  readonly isClosed: (channel: string) => Promise<boolean>;
  /** Whether people of another organization read a channel (Slack Connect), or have been asked to. */
  readonly isShared: (channel: string) => Promise<boolean>;
}

type Audience = Awaited<ReturnType<SlackApi['audience']>>;

const REMEMBER_MS = 10 * 60_000;
const MOST = 5_000;
/** A channel that Slack does not tell anything of: nothing of it is told elsewhere, and nothing from elsewhere in it. */
const UNKNOWN: Audience = { closed: true, shared: true };

/** What Slack says of channels, remembered for ten minutes. */
export const openAudiences = (slack: Pick<SlackApi, 'audience'>, log: Log): Audiences => {
  const remembered = new Map<string, { audience: Audience; until: number }>();
  const of = async (channel: string): Promise<Audience> => {
    const known = remembered.get(channel);
    if (known !== undefined && known.until > Date.now()) return known.audience;
    let audience = UNKNOWN;
    try {
      audience = await slack.audience(channel);
    } catch (error) {
      if (!(error instanceof SlackRefused)) throw error;
      log.warn(
        { channel, code: error.code },
        'Slack does not tell who reads a channel; channels:read and groups:read may be missing',
      );
    }
    if (remembered.size >= MOST) remembered.clear();
    remembered.set(channel, { audience, until: Date.now() + REMEMBER_MS });
    return audience;
  };
  return {
    isClosed: async (channel) => (await of(channel)).closed,
    isShared: async (channel) => (await of(channel)).shared,
  };
};

/** Whether what was found in one channel may be told in another one, to everybody who reads there. Throws SlackAway. */
export const mayBeTold = async (from: string, to: string, { isClosed, isShared }: Audiences): Promise<boolean> =>
  from === to || (!(await isClosed(from)) && !(await isShared(to)));
