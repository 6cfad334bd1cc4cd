/** A person or a bot, in the shape of `users.info`. */
export interface WorldUser {
  id: string;
  name: string;
  realName: string;
  teamId: string;
  isAdmin: boolean;
  /** A guest: `is_restricted` (several channels) in Slack's words. */
  isRestricted: boolean;
  isBot: boolean;
  /** From another workspace, met in a shared channel. */
  isStranger: boolean;
  /** Their language: `en-US`. */
  locale: string;
}

export interface WorldChannel {
  id: string;
  name: string;
  /** `im` is a direct conversation with the bot. */
  kind: 'channel' | 'im';
  isPrivate: boolean;
  isArchived: boolean;
  isExtShared: boolean;
  topic: string;
  members: string[];
}

/** The workspace's people and places. */
export interface World {
  team: { id: string; name: string; domain: string };
  otherTeam: { id: string; name: string; domain: string };
  app: { id: string; name: string; botId: string; botUserId: string };
  users: WorldUser[];
  channels: WorldChannel[];
  usergroups: { id: string; handle: string; name: string; users: string[] }[];
}

const TEAM = 'T0LOCAL01';
const OTHER_TEAM = 'T0OTHER01';
const BOT_USER = 'U0STRACE1';

function person(id: string, name: string, realName: string, more: Partial<WorldUser> = {}): WorldUser {
  return {
    id,
    name,
    realName,
    teamId: TEAM,
    isAdmin: false,
    isRestricted: false,
    isBot: false,
    isStranger: false,
    locale: 'en-US',
    ...more,
  };
}

function channel(id: string, name: string, members: string[], more: Partial<WorldChannel> = {}): WorldChannel {
  return {
    id,
    name,
    kind: 'channel',
    isPrivate: false,
    isArchived: false,
    isExtShared: false,
    topic: '',
    members,
    ...more,
  };
}

/**
 * The workspace every local Slack starts with: an admin, a member, a guest and a stranger; channels with and without the
 * bot, one shared with the other team, one archived; the bot; a user group.
 */
export function seedWorld(): World {
  const [alice, bob, carol, dana] = ['U0ALICE01', 'U0BOB0001', 'U0CAROL01', 'U0DANA001'];
  return {
    team: { id: TEAM, name: 'Local Workspace', domain: 'local-workspace' },
    otherTeam: { id: OTHER_TEAM, name: 'Other Company', domain: 'other-company' },
    app: { id: 'A0STRACE1', name: 'Straceback', botId: 'B0STRACE1', botUserId: BOT_USER },
    users: [
      person(alice, 'alice', 'Alice Admin', { isAdmin: true }),
      person(bob, 'bob', 'Bob Oncall'),
      person(carol, 'carol', 'Carol Guest', { isRestricted: true }),
      person(dana, 'dana', 'Dana Stranger', { teamId: OTHER_TEAM, isStranger: true }),
      person(BOT_USER, 'straceback', 'Straceback', { isBot: true }),
      person('USLACKBOT', 'slackbot', 'Slackbot', { isBot: true }),
    ],
    channels: [
      channel('C0OPS0001', 'ops', [alice, bob, carol, BOT_USER], { topic: 'Where incidents are worked on' }),
      channel('C0ALERTS1', 'alerts', [alice, bob, BOT_USER], { topic: 'Where alerts arrive' }),
      channel('C0SHARED1', 'shared', [alice, bob, dana, BOT_USER], { topic: 'With Other Company', isExtShared: true }),
      channel('C0LOUNGE1', 'lounge', [alice, bob, carol], { topic: 'The bot is not here' }),
      channel('C0OLD0001', 'old', [alice, bob, BOT_USER], { isArchived: true }),
    ],
    usergroups: [{ id: 'S0ONCALL1', handle: 'oncall', name: 'On call', users: [alice, bob] }],
  };
}

/** A user by id, name, or `@name`. Throws when there is none. */
export function findUser(world: World, who: string): WorldUser {
  const wanted = who.replace(/^@/, '');
  const user = world.users.find((each) => each.id === wanted || each.name === wanted);
  if (user === undefined) throw new Error(`no user ${who} in the local Slack`);
  return user;
}

/** A channel by id, name, or `#name`. Throws when there is none. */
export function findChannel(world: World, which: string): WorldChannel {
  const wanted = which.replace(/^#/, '');
  const found = world.channels.find((each) => each.id === wanted || each.name === wanted);
  if (found === undefined) throw new Error(`no channel ${which} in the local Slack`);
  return found;
}
