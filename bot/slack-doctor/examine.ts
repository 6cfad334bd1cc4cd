import { setTimeout as sleep } from 'node:timers/promises';
import { WebAPIPlatformError, WebAPIRateLimitedError, type WebClient } from '@slack/web-api';
import type { Config } from '../../infra/config.ts';
import { list } from '../../playbooks/reading/text.ts';
import { SlackAway, SlackRefused, sortingEnds } from '../slack/errors.ts';
import { type Check, fine, trying, wrong } from './check.ts';
import { BOT_SCOPES } from './scopes.ts';

/** Calls Slack; waits out the rate limits that it says, a few times. Throws SlackRefused, SlackAway. */
export const calling = async <T>(method: string, call: () => Promise<T>): Promise<T> => {
  for (let tries = 1; ; tries += 1) {
    try {
      return await sortingEnds(method, call);
    } catch (error) {
      // Here a token that Slack does not take is what is looked for, not something to wait out.
      if (error instanceof SlackAway && error.cause instanceof WebAPIPlatformError)
        throw new SlackRefused(method, error.cause.data.error, error.cause);
      if (!(error instanceof WebAPIRateLimitedError)) throw error;
      if (tries === 5) throw new SlackRefused(method, 'ratelimited', error);
      await sleep(Math.min(60, Math.max(1, error.retryAfter)) * 1_000);
    }
  }
};

/** Whose token it is, and what it may do. */
export const tokenChecks = (web: WebClient): Promise<Check[]> =>
  trying('bot token', async () => {
    const me = await calling('auth.test', () => web.auth.test());
    const said = `${me.user ?? '?'} in ${me.team ?? '?'} (${me.url ?? ''})`;
    const scopes = me.response_metadata?.scopes ?? [];
    const missing = BOT_SCOPES.filter((scope) => !scopes.includes(scope));
    return [
      me.bot_id === undefined
        ? wrong(
            'bot token',
            `${said} is a person, not a bot`,
            'set SLACK_BOT_TOKEN to the token that begins with xoxb-',
          )
        : fine('bot token', said),
      missing.length === 0
        ? fine('scopes', `all ${BOT_SCOPES.length} are there`)
        : wrong(
            'scopes',
            `missing: ${missing.join(', ')}`,
            'add them at https://api.slack.com/apps → the app → OAuth & Permissions → Scopes, and install the app again',
          ),
    ];
  });

/** Whether Slack lets the bot connect (Socket Mode), or what lets the bot believe Slack (HTTP). */
export const entranceChecks = async (
  app: WebClient | null,
  { mode, signingSecret }: Pick<Config['slack'], 'mode' | 'signingSecret'>,
): Promise<Check[]> => {
  const basic = 'https://api.slack.com/apps → the app → Basic Information';
  if (mode === 'http') {
    return [
      signingSecret === undefined || signingSecret === ''
        ? wrong('signing secret', 'SLACK_SIGNING_SECRET is not set', `copy it from ${basic}`)
        : fine('signing secret', 'is set; whether it is the right one shows with the first command'),
    ];
  }
  if (app === null) {
    const todo = `make one with the scope connections:write at ${basic} → App-Level Tokens`;
    return [wrong('app token', 'SLACK_APP_TOKEN is not set', todo)];
  }
  return trying('app token', async () => {
    await calling('apps.connections.open', () => app.apps.connections.open({}));
    return [fine('app token', 'opens a connection')];
  });
};

/** A channel that the configuration names, and where. */
export interface NamedChannel {
  readonly id: string;
  readonly by: readonly string[];
  /** Whether something is posted there; a rule of the policy may name a channel that people only ask from. */
  readonly posts: boolean;
}

/** Channels of routes, of alerts that no route takes, and of the policy. */
export const channelsIn = ({ alerts, policy }: Pick<Config, 'alerts' | 'policy'>): NamedChannel[] => {
  const named = [
    ...alerts.routes.map(({ channel, name }) => ({ id: channel, by: `the route ${name}` })),
    ...(alerts.defaultChannel === undefined ? [] : [{ id: alerts.defaultChannel, by: 'defaultChannel' }]),
    ...policy.rules.flatMap(({ channels = [] }) => channels.map((id) => ({ id, by: 'the policy' }))),
  ];
  return [...new Set(named.map(({ id }) => id))].map((id) => {
    const by = [...new Set(named.filter((each) => each.id === id).map((each) => each.by))];
    return { id, by, posts: by.some((each) => each !== 'the policy') };
  });
};

const channelCheck = (web: WebClient, { id, by }: NamedChannel, bot: string): Promise<Check[]> => {
  const name = `channel ${id}`;
  const where = `(${list(by.slice(0, 3))})`;
  return trying(name, async () => {
    try {
      const { channel } = await calling('conversations.info', () => web.conversations.info({ channel: id }));
      const called = `#${channel?.name ?? '?'} ${where}`;
      if (channel?.is_archived === true)
        return [wrong(name, `${called} is archived`, 'unarchive it, or name another one in the configuration')];
      if (channel?.is_member !== true)
        return [wrong(name, `the bot is not in ${called}`, `say /invite @${bot} in that channel`)];
      return [fine(name, called)];
    } catch (error) {
      if (!(error instanceof SlackRefused) || error.code !== 'channel_not_found') throw error;
      const todo = `if it is a private one, say /invite @${bot} there; else copy its id from “View channel details”`;
      return [wrong(name, `Slack knows none ${where} that the bot could see`, todo)];
    }
  });
};

/** Each channel: whether it is there, is open and has the bot in it. Direct conversations need nothing. */
export const channelChecks = async (
  web: WebClient,
  channels: readonly NamedChannel[],
  bot: string,
): Promise<Check[]> => {
  const checks: Check[] = [];
  for (const channel of channels) {
    if (!channel.id.startsWith('D')) checks.push(...(await channelCheck(web, channel, bot)));
  }
  return checks;
};

/** User groups that the policy or routes name. */
export const groupsIn = ({ alerts, policy }: Pick<Config, 'alerts' | 'policy'>): string[] => [
  ...new Set([
    ...policy.rules.flatMap(({ groups = [] }) => groups),
    ...alerts.routes.flatMap(({ mention }) => mention.filter((id) => id.startsWith('S'))),
  ]),
];

/** Each user group: whether it is there, and how many are in it. */
export const groupChecks = async (web: WebClient, groups: readonly string[]): Promise<Check[]> => {
  const checks: Check[] = [];
  for (const group of groups) {
    const name = `user group ${group}`;
    const found = await trying(name, async () => {
      const { users = [] } = await calling('usergroups.users.list', () =>
        web.usergroups.users.list({ usergroup: group }),
      );
      return [
        users.length === 0
          ? wrong(name, 'nobody is in it', 'add people to it in Slack under People → User groups')
          : fine(name, `${users.length} in it`),
      ];
    });
    checks.push(...found);
  }
  return checks;
};

/** Slack's signatures are refused when clocks differ by five minutes; long before that something is wrong. */
const MOST_SECONDS = 60;

/** This machine's clock against the Date of an answer of Slack's. */
export const clockCheck = async (apiUrl: string, now: () => number = Date.now): Promise<Check[]> => {
  const name = 'clock';
  try {
    const answer = await fetch(new URL('api.test', apiUrl), { method: 'POST', signal: AbortSignal.timeout(10_000) });
    await answer.arrayBuffer();
    const theirs = Date.parse(answer.headers.get('date') ?? '');
    if (Number.isNaN(theirs))
      return [wrong(name, 'Slack’s answer has no time in it', 'look for a proxy that changes it')];
    const off = Math.round((now() - theirs) / 1_000);
    return [
      Math.abs(off) > MOST_SECONDS
        ? wrong(
            name,
            `is ${Math.abs(off)} s ${off > 0 ? 'ahead of' : 'behind'} Slack’s`,
            'set it by NTP: timedatectl set-ntp true',
          )
        : fine(name, 'agrees with Slack’s'),
    ];
  } catch {
    return [wrong(name, 'Slack gave no answer', 'check the network, a proxy and the firewall for slack.com')];
  }
};
