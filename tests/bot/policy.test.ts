import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openPolicy, type PolicyOptions } from '../../bot/policy.ts';
import { SlackAway, SlackRefused } from '../../bot/slack/errors.ts';
import { globMatch } from '../../infra/globs.ts';
import { silentLog } from '../../infra/log.ts';
import type { PolicyRule } from '../../infra/policy.ts';
import { Impact } from '../../playbooks/model/index.ts';

const PEOPLE = ['U1', 'U2', 'U3'];
const GROUPS = ['S1', 'S2'];
const CHANNELS = ['C1', 'C2'];
const HOSTS = ['web-1', 'web-2', 'db-1'];

/** A policy whose groups are what `members` says, and how often it asked for each. */
const open = (options: PolicyOptions, members: Record<string, string[]> = {}) => {
  const asked: string[] = [];
  const policy = openPolicy(
    options,
    {
      groupMembers: async (group) => {
        asked.push(group);
        const there = members[group];
        if (there === undefined) throw new SlackRefused('usergroups.users.list', 'no_such_subteam');
        return there;
      },
    },
    silentLog,
  );
  return { policy, asked };
};

const rule = (given: Partial<PolicyRule>): PolicyRule => ({ allow: [], approve: [], ...given });
const at = (user: string, channel = 'C1') => ({ team: 'T1', user, channel });
const harmless: readonly Impact[] = ['none', 'slows'];

describe('what somebody may do', () => {
  test('is what the old form says, for everybody and every host', async () => {
    const { policy } = open({ allow: ['none', 'slows', 'stops'] });
    expect(await policy.allowed(at('U9'), 'any')).toEqual(['none', 'slows', 'stops']);
    expect(await policy.approvers('C1', { host: 'any', impacts: ['writes-disk'], requester: 'U1' })).toBeNull();
  });

  test('is widened by rules of person, group, channel and host, and by nothing else', async () => {
    const { policy } = open(
      {
        allow: harmless,
        rules: [
          rule({ people: ['U1'], hosts: ['web-*'], allow: ['stops'] }),
          rule({ groups: ['S1'], channels: ['C2'], allow: ['writes-disk'] }),
        ],
      },
      { S1: ['U2'] },
    );
    expect(await policy.allowed(at('U1'), 'web-1')).toEqual(['none', 'slows', 'stops']);
    expect(await policy.allowed(at('U1'), 'db-1')).toEqual(harmless);
    expect(await policy.allowed(at('U2'), 'web-1')).toEqual(harmless);
    expect(await policy.allowed(at('U2', 'C2'), 'web-1')).toEqual(['none', 'slows', 'writes-disk']);
    expect(await policy.allowed(at('U3', 'C2'), 'web-1')).toEqual(harmless);
  });

  test('is never widened by a group that Slack does not tell, and is not guessed while Slack is away', async () => {
    const rules = [rule({ groups: ['S9'], allow: ['stops'] })];
    expect(await open({ allow: harmless, rules }).policy.allowed(at('U1'), 'web-1')).toEqual(harmless);
    const away = openPolicy(
      { allow: harmless, rules },
      { groupMembers: () => Promise.reject(new SlackAway('usergroups.users.list')) },
      silentLog,
    );
    await expect(away.allowed(at('U1'), 'web-1')).rejects.toThrow(SlackAway);
  });

  test('asks Slack for a group once in five minutes, and only where it matters', async () => {
    const rules = [
      rule({ groups: ['S1'], hosts: ['web-*'], allow: ['stops'] }),
      rule({ groups: ['S2'], approve: ['stops'] }),
    ];
    const { policy, asked } = open({ allow: harmless, rules }, { S1: ['U1'], S2: ['U2'] });
    await policy.allowed(at('U1'), 'db-1');
    expect(asked).toEqual([]);
    await policy.allowed(at('U1'), 'web-1');
    await policy.allowed(at('U2'), 'web-2');
    expect(asked).toEqual(['S1']);
  });
});

describe('who may say yes', () => {
  const question = { host: 'web-1', impacts: ['stops', 'writes-disk'], requester: 'U1' } as const;
  const rules = [
    rule({ groups: ['S1'], hosts: ['web-*'], approve: ['stops', 'writes-disk'] }),
    rule({ people: ['U3'], approve: ['stops'] }),
  ];

  test('is somebody else who may have all of it on that host; the sentence says who', async () => {
    const { policy } = open({ allow: harmless, rules }, { S1: ['U1', 'U2'] });
    expect(await policy.mayApprove(at('U2'), question)).toBeNull();
    expect(await policy.mayApprove(at('U1'), question)).toBe(
      'You asked for this yourself, so somebody else has to approve it: <@U2>.',
    );
    expect(await policy.mayApprove(at('U3'), question)).toBe(
      'You may not approve `writes-disk` on `web-1`. Who may: <@U2>.',
    );
    expect(await policy.mayApprove(at('U2'), { ...question, host: 'db-1' })).toBe(
      'You may not approve `stops` and `writes-disk` on `db-1`. Who may: nobody now, as the policy stands.',
    );
    expect(await policy.approvers('C1', question)).toEqual({ anybody: false, people: ['U2'] });
  });

  test('is the requester too where the policy says so, but only with the right', async () => {
    const { policy } = open({ allow: harmless, rules, selfApproval: true }, { S1: ['U1', 'U2'] });
    expect(await policy.mayApprove(at('U1'), question)).toBeNull();
    expect(await policy.mayApprove(at('U3'), { ...question, requester: 'U3' })).toContain('may not approve');
  });

  test('is asked of Slack anew: who has left the group meanwhile may no longer', async () => {
    const members = { S1: ['U2'] };
    const { policy } = open({ allow: harmless, rules }, members);
    expect(await policy.mayApprove(at('U2'), question)).toBeNull();
    members.S1 = [];
    expect(await policy.mayApprove(at('U2'), question)).toContain('may not approve');
  });

  test('is anybody else where a rule names nobody', async () => {
    const { policy } = open({ allow: harmless, rules: [rule({ approve: ['stops', 'writes-disk'] })] });
    expect(await policy.approvers('C1', question)).toEqual({ anybody: true });
    expect(await policy.mayApprove(at('U7'), question)).toBeNull();
    expect(await policy.mayApprove(at('U1'), question)).toContain('any other member of this workspace');
  });
});

const subset = (from: readonly string[]) => fc.option(fc.subarray([...from], { minLength: 1 }), { nil: undefined });
const anyImpacts = fc.uniqueArray(fc.constantFrom(...Impact.options));
const anyRule: fc.Arbitrary<PolicyRule> = fc.record({
  people: subset(PEOPLE),
  groups: subset(GROUPS),
  channels: subset(CHANNELS),
  hosts: subset(['web-*', '*', 'db-1', '*-2']),
  allow: anyImpacts,
  approve: anyImpacts,
});
const anyCase = fc.record({
  allow: anyImpacts,
  selfApproval: fc.boolean(),
  rules: fc.array(anyRule, { maxLength: 5 }),
  members: fc.record({ S1: fc.subarray(PEOPLE), S2: fc.subarray(PEOPLE) }),
  user: fc.constantFrom(...PEOPLE),
  requester: fc.constantFrom(...PEOPLE),
  channel: fc.constantFrom(...CHANNELS),
  host: fc.constantFrom(...HOSTS),
  wanted: anyImpacts,
});

/** Whether a rule gives an impact to somebody, written down apart from the code that is tested. */
const gives = (
  one: PolicyRule,
  { user, channel, host, members }: { user: string; channel: string; host: string; members: Record<string, string[]> },
): boolean => {
  const inGroup = (one.groups ?? []).some((group) => members[group]?.includes(user));
  const named = one.people === undefined && one.groups === undefined ? true : one.people?.includes(user) || inGroup;
  const fits = (pattern: string) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(host);
  return named === true && (one.channels?.includes(channel) ?? true) && (one.hosts?.some(fits) ?? true);
};

describe('for any rules', () => {
  test('nobody may do more than the default and the rules about them give, and never less', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async (it) => {
        const { policy } = open({ allow: it.allow, rules: it.rules }, it.members);
        const expected = new Set([
          ...it.allow,
          ...it.rules.filter((one) => gives(one, it)).flatMap((one) => one.allow),
        ]);
        const allowed = await policy.allowed({ team: 'T1', user: it.user, channel: it.channel }, it.host);
        expect(new Set(allowed)).toEqual(expected);
      }),
    );
  });

  test('nobody may approve more than they were given, nor what they asked for unless the policy says so', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async (it) => {
        const { policy } = open({ allow: it.allow, rules: it.rules, selfApproval: it.selfApproval }, it.members);
        const question = { host: it.host, impacts: it.wanted, requester: it.requester };
        const who = { team: 'T1', user: it.user, channel: it.channel };
        const given = it.rules.filter((one) => gives(one, it)).flatMap((one) => [...one.allow, ...one.approve]);
        const covered = it.wanted.every(
          (impact) => impact === 'none' || it.allow.includes(impact) || given.includes(impact),
        );
        const may = covered && (it.selfApproval || it.user !== it.requester);
        expect((await policy.mayApprove(who, question)) === null).toBe(may);
        // Who is named as able to approve really is.
        const named = await policy.approvers(it.channel, question);
        if (named?.anybody === false) {
          for (const user of named.people) expect(await policy.mayApprove({ ...who, user }, question)).toBeNull();
        }
        if (named === null) expect(may).toBe(false);
      }),
    );
  });
});

test('a host pattern means what its stars say, for any pattern and name', () => {
  const letters = fc.array(fc.constantFrom('a', 'b', '.', '-', '*'), { maxLength: 12 }).map((all) => all.join(''));
  const names = fc.array(fc.constantFrom('a', 'b', '.', '-'), { maxLength: 12 }).map((all) => all.join(''));
  fc.assert(
    fc.property(letters, names, (pattern, name) => {
      const expression = pattern
        .split('*')
        .map((part) => part.replaceAll('.', '\\.'))
        .join('.*');
      return globMatch(pattern, name) === new RegExp(`^${expression}$`).test(name);
    }),
  );
  expect(globMatch('*a'.repeat(100), 'a'.repeat(60))).toBe(false);
});
