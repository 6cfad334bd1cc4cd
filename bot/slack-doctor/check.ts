import { WebAPIPlatformError } from '@slack/web-api';
import { SlackAway, SlackRefused } from '../slack/errors.ts';

/** One thing that was checked. */
export interface Check {
  /** What it is about: `token`, `channel C0123456`. */
  readonly name: string;
  readonly ok: boolean;
  /** What was found. */
  readonly said: string;
  /** What to do about it; null when all is well. */
  readonly todo: string | null;
}

/** A check that went well. */
export const fine = (name: string, said: string): Check => ({ name, ok: true, said, todo: null });

/** A check that did not, and what to do. */
export const wrong = (name: string, said: string, todo: string): Check => ({ name, ok: false, said, todo });

const APPS = 'https://api.slack.com/apps';

/** What people can do about a word of Slack's that any method may answer with. */
const todoFor = (name: string, code: string): string => {
  switch (code) {
    case 'token_revoked':
    case 'token_expired':
    case 'account_inactive':
    case 'invalid_auth':
    case 'not_authed':
      return name === 'app token'
        ? `copy the token anew from ${APPS} → the app → Basic Information → App-Level Tokens`
        : `copy the token anew from ${APPS} → the app → OAuth & Permissions (install the app again if it asks for it)`;
    case 'not_allowed_token_type':
      return 'this is a token of another kind: SLACK_BOT_TOKEN begins with xoxb-, SLACK_APP_TOKEN with xapp-';
    case 'missing_scope':
      return `add the scope at ${APPS} → the app → OAuth & Permissions → Scopes, and install the app again`;
    case 'ratelimited':
      return 'wait a minute and run this again';
    default:
      return 'see https://docs.slack.dev/reference/methods for what Slack means by it';
  }
};

/** The scope that Slack says a refused call needs. */
const neededBy = ({ cause }: SlackRefused): string => {
  if (!(cause instanceof WebAPIPlatformError) || !('needed' in cause.data)) return '';
  return typeof cause.data.needed === 'string' ? ` (needed: ${cause.data.needed})` : '';
};

/** Runs a check; whatever Slack answers instead of what was hoped for becomes a check that did not go well. */
export const trying = async (name: string, run: () => Promise<Check[]>): Promise<Check[]> => {
  try {
    return await run();
  } catch (error) {
    if (error instanceof SlackRefused)
      return [wrong(name, `Slack says ${error.code}${neededBy(error)}`, todoFor(name, error.code))];
    if (error instanceof SlackAway)
      return [wrong(name, 'Slack gave no answer', 'check the network, a proxy and the firewall for slack.com')];
    throw error;
  }
};
