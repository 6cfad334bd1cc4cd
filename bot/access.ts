import type { Log } from '../infra/log.ts';
import type { SlackApi } from './slack/api.ts';
import { SlackRefused } from './slack/errors.ts';
import type { Person } from './slack/shapes.ts';

/** Who may ask the bot for anything. */
export interface Access {
  /** Null when this person may, else the sentence to tell them. Throws SlackAway when Slack cannot be asked. */
  readonly refusal: (who: { team: string; user: string }) => Promise<string | null>;
  /** The language of somebody who asked a moment ago, as Slack calls it (`zh-CN`); null when it is not known here. */
  readonly localeOf: (user: string) => string | null;
}

const REMEMBER_MS = 5 * 60_000;
const MAX_REMEMBERED = 5_000;

const judge = (person: Person, teamId: string): string | null => {
  if (person.deleted === true) return 'This account has been deactivated.';
  if (person.is_bot === true) return 'I take no requests from other apps.';
  if (person.is_stranger === true || (person.team_id !== undefined && person.team_id !== teamId)) {
    return 'I only take requests from members of this workspace.';
  }
  if (person.is_restricted === true || person.is_ultra_restricted === true) {
    return 'I take no requests from guests. Ask a member of this workspace.';
  }
  return null;
};

/** Members of the bot's own workspace, no guests, no other apps. What Slack says of a person is kept five minutes. */
export const openAccess = (slack: SlackApi, teamId: string, log: Log): Access => {
  const remembered = new Map<string, { verdict: string | null; locale: string | null; until: number }>();
  return {
    refusal: async ({ team, user }) => {
      if (team !== teamId) return 'I only take requests from members of this workspace.';
      const known = remembered.get(user);
      if (known !== undefined && known.until > Date.now()) return known.verdict;
      let person: Person;
      try {
        person = await slack.person(user);
      } catch (error) {
        if (!(error instanceof SlackRefused)) throw error;
        log.error({ user, code: error.code }, 'Slack does not say who this is; users:read may be missing');
        return 'Slack does not tell me who you are, so I cannot take requests from you. An admin has to give me the scope users:read.';
      }
      if (remembered.size >= MAX_REMEMBERED) remembered.clear();
      const verdict = judge(person, teamId);
      remembered.set(user, { verdict, locale: person.locale ?? null, until: Date.now() + REMEMBER_MS });
      return verdict;
    },
    localeOf: (user) => remembered.get(user)?.locale ?? null,
  };
};
