import { globMatch } from '../infra/globs.ts';
import type { Log } from '../infra/log.ts';
import type { PolicyRule } from '../infra/policy.ts';
import { Impact, impactsNotAllowed } from '../playbooks/model/index.ts';
import { list } from '../playbooks/reading/text.ts';
import type { SlackApi } from './slack/api.ts';
import { SlackRefused } from './slack/errors.ts';

/** Somebody who asks, and where. */
export interface Asker {
  readonly team: string;
  readonly user: string;
  readonly channel: string;
}

/** What a person is asked to say yes to. */
export interface Question {
  readonly host: string;
  /** The impacts that the requester may not have by themselves. */
  readonly impacts: readonly Impact[];
  /** Who asked. */
  readonly requester: string;
}

/** The policy as the configuration gives it. What is left out is as the schema of `infra/policy.ts` has it. */
export interface PolicyOptions {
  readonly allow: readonly Impact[];
  readonly selfApproval?: boolean;
  readonly approvalSeconds?: number;
  readonly rules?: readonly PolicyRule[];
}

/** Who may do what to which host. Each throws SlackAway when the members of a group have to be asked and Slack is away. */
export interface Policy {
  /** How long an approval can be given, and how long after it the look must begin. */
  readonly approvalSeconds: number;
  /** The impacts that this person, in this channel, may have on this host without anybody's further yes. */
  readonly allowed: (who: Asker, host: string) => Promise<readonly Impact[]>;
  /**
   * Null when this person may say yes, else the sentence to tell them. Groups are asked of Slack anew: somebody may have left one
   * since the question was put.
   */
  readonly mayApprove: (who: Asker, question: Question) => Promise<string | null>;
  /** Those who could say yes in this channel; null when nobody could. */
  readonly approvers: (channel: string, question: Question) => Promise<Approvers | null>;
}

/** `anybody`: every member of the workspace but the requester. */
export type Approvers = { readonly anybody: true } | { readonly anybody: false; readonly people: readonly string[] };

/** What a rule, or the default, gives. */
interface Given {
  readonly allow: readonly Impact[];
  readonly approve: readonly Impact[];
}

const GROUP_MS = 5 * 60_000;
const APPROVAL_SECONDS = 600;

/** The members of Slack's user groups, remembered for five minutes. A group that Slack does not tell is empty. */
const groupMembers = (slack: Pick<SlackApi, 'groupMembers'>, log: Log) => {
  const remembered = new Map<string, { members: ReadonlySet<string>; until: number }>();
  return async (group: string, fresh: boolean): Promise<ReadonlySet<string>> => {
    const known = remembered.get(group);
    if (!fresh && known !== undefined && known.until > Date.now()) return known.members;
    let members: ReadonlySet<string>;
    try {
      members = new Set(await slack.groupMembers(group));
    } catch (error) {
      if (!(error instanceof SlackRefused)) throw error;
      log.error(
        { group, code: error.code },
        'Slack does not tell who is in a group of the policy; nobody is taken to be',
      );
      members = new Set();
    }
    remembered.set(group, { members, until: Date.now() + GROUP_MS });
    return members;
  };
};

const codes = (impacts: readonly Impact[]): string => list(impacts.map((impact) => `\`${impact}\``));

/** In the order of their harm, each once. */
const ordered = (impacts: ReadonlySet<Impact>): Impact[] => Impact.options.filter((impact) => impacts.has(impact));

/** Opens the policy of a configuration. */
export const openPolicy = (
  { allow, selfApproval = false, approvalSeconds = APPROVAL_SECONDS, rules = [] }: PolicyOptions,
  slack: Pick<SlackApi, 'groupMembers'>,
  log: Log,
): Policy => {
  const members = groupMembers(slack, log);
  const everywhere: Given = { allow, approve: [] };

  const atPlace = (channel: string, host: string): readonly PolicyRule[] =>
    rules.filter(
      (rule) =>
        (rule.channels?.includes(channel) ?? true) && (rule.hosts?.some((pattern) => globMatch(pattern, host)) ?? true),
    );

  const isAbout = async ({ people, groups }: PolicyRule, user: string, fresh: boolean): Promise<boolean> => {
    if (people === undefined && groups === undefined) return true;
    if (people?.includes(user) === true) return true;
    for (const group of groups ?? []) if ((await members(group, fresh)).has(user)) return true;
    return false;
  };

  /** What the rules give; groups are asked for only where a rule gives something that is not given already. */
  const given = async (
    { channel, user }: Pick<Asker, 'channel' | 'user'>,
    host: string,
    what: (rule: Given) => readonly Impact[],
    fresh: boolean,
  ): Promise<Set<Impact>> => {
    const all = new Set<Impact>(what(everywhere));
    for (const rule of atPlace(channel, host)) {
      const more = what(rule).filter((impact) => !all.has(impact));
      if (more.length > 0 && (await isAbout(rule, user, fresh))) for (const impact of more) all.add(impact);
    }
    return all;
  };

  // Who may do something without a yes may also say it for others.
  const both = (rule: Given) => [...rule.allow, ...rule.approve];

  const approvers: Policy['approvers'] = async (channel, { host, impacts, requester }) => {
    const covers = (have: ReadonlySet<Impact>) => impactsNotAllowed(impacts, [...have]).length === 0;
    const here = atPlace(channel, host);
    const forAll = here.filter((rule) => rule.people === undefined && rule.groups === undefined);
    if (covers(new Set([everywhere, ...forAll].flatMap(both)))) return { anybody: true };
    const named = new Set<string>();
    for (const { people = [], groups = [] } of here.filter((rule) => both(rule).length > 0)) {
      for (const person of people) named.add(person);
      for (const group of groups) for (const person of await members(group, false)) named.add(person);
    }
    const able: string[] = [];
    for (const user of named) {
      if (user === requester && !selfApproval) continue;
      if (covers(await given({ channel, user }, host, both, false))) able.push(user);
    }
    return able.length === 0 ? null : { anybody: false, people: able };
  };

  return {
    approvalSeconds,
    allowed: async (who, host) => ordered(await given(who, host, (rule) => rule.allow, false)),
    mayApprove: async (who, question) => {
      const { host, impacts, requester } = question;
      if (who.user === requester && !selfApproval) {
        const others = await approvers(who.channel, question);
        return `You asked for this yourself, so somebody else has to approve it: ${approversSentence(others)}.`;
      }
      const have = await given(who, host, both, true);
      const missing = impactsNotAllowed(impacts, [...have]);
      if (missing.length === 0) return null;
      const others = await approvers(who.channel, question);
      return `You may not approve ${codes(missing)} on \`${host}\`. Who may: ${approversSentence(others)}.`;
    },
    approvers,
  };
};

const MOST_NAMED = 8;

/** Who could say yes, as words; people as mentions in mrkdwn, so for messages that only their asker sees. */
export const approversSentence = (approvers: Approvers | null): string => {
  if (approvers === null) return 'nobody now, as the policy stands';
  if (approvers.anybody) return 'any other member of this workspace';
  const shown = approvers.people.slice(0, MOST_NAMED).map((user) => `<@${user}>`);
  const more = approvers.people.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : list(shown, 'or');
};
