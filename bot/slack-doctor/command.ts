import { WebClient } from '@slack/web-api';
import type { Config } from '../../infra/config.ts';
import { clientOptions } from '../slack/api.ts';
import { quietLogger } from '../slack/quiet-logger.ts';
import { blockChecks, type Sample } from './blocks.ts';
import { type Check, wrong } from './check.ts';
import {
  channelChecks,
  channelsIn,
  clockCheck,
  entranceChecks,
  groupChecks,
  groupsIn,
  tokenChecks,
} from './examine.ts';
import { checksText } from './text.ts';

/** What `straceback doctor slack` was asked for. */
export interface SlackDoctorAsked {
  readonly json: boolean;
  readonly config: string | undefined;
}

const USAGE = 'straceback doctor slack [--json] [--config FILE]';

/** Reads the words after `straceback doctor slack`; a sentence when they make no sense. */
export const readSlackDoctorArguments = (words: readonly string[]): SlackDoctorAsked | string => {
  let json = false;
  let config: string | undefined;
  for (let at = 0; at < words.length; at += 1) {
    if (words[at] === '--json') json = true;
    else if (words[at] !== '--config') return `"${words[at]}" is not understood.\n  ${USAGE}`;
    else {
      at += 1;
      config = words[at];
      if (config === undefined) return `--config needs a value.\n  ${USAGE}`;
    }
  }
  return { json, config };
};

const SLACK = 'https://slack.com/api/';

/** Everything that the bot needs of Slack, checked one after the other. Nothing is posted. */
export const examineSlack = async (
  config: Pick<Config, 'slack' | 'alerts' | 'policy'>,
  samples: readonly Sample[],
): Promise<Check[]> => {
  const { botToken, appToken, apiUrl } = config.slack;
  const client = (token: string): WebClient =>
    new WebClient(token, { ...clientOptions({ apiUrl }), logger: quietLogger });
  const app = appToken === undefined || appToken === '' ? null : client(appToken);
  const further = async (): Promise<Check[]> => [
    ...(await entranceChecks(app, config.slack)),
    ...(await clockCheck(apiUrl ?? SLACK)),
  ];
  if (botToken === undefined || botToken === '') {
    const todo = 'copy it from https://api.slack.com/apps → the app → OAuth & Permissions';
    return [wrong('bot token', 'SLACK_BOT_TOKEN is not set', todo), ...(await further())];
  }
  const web = client(botToken);
  const [token, ...scopes] = await tokenChecks(web);
  const rest = await further();
  // With a token that Slack refuses everything else would only say so again.
  if (token === undefined || !token.ok) return [...(token === undefined ? [] : [token]), ...scopes, ...rest];
  const bot = /^\S+/.exec(token.said)?.[0] ?? 'straceback';
  return [
    token,
    ...scopes,
    ...rest,
    ...(await channelChecks(web, channelsIn(config), bot)),
    ...(await groupChecks(web, groupsIn(config))),
    ...(await blockChecks(web, samples)),
  ];
};

/** Examines and prints. The exit code: 0, or 3 when something is not well. */
export const runSlackDoctor = async (
  config: Pick<Config, 'slack' | 'alerts' | 'policy'>,
  samples: readonly Sample[],
  { json }: Pick<SlackDoctorAsked, 'json'>,
  out: (text: string) => void,
): Promise<number> => {
  const checks = await examineSlack(config, samples);
  out(json ? `${JSON.stringify(checks, null, 2)}\n` : checksText(checks));
  return checks.every(({ ok }) => ok) ? 0 : 3;
};
