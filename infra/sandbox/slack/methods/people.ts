import { z } from 'zod';
import type { Slack } from '../context.ts';
import { findMessage } from '../messages.ts';
import { channelOf } from '../posting.ts';
import { SlackError } from '../slack-error.ts';
import type { WorldUser } from '../world.ts';
import { FormBoolean, type Method, method } from './method.ts';

function describe(slack: Slack, user: WorldUser): Record<string, unknown> {
  return {
    id: user.id,
    team_id: user.teamId,
    name: user.name,
    real_name: user.realName,
    deleted: false,
    color: '9f69e7',
    tz: 'Etc/UTC',
    tz_offset: 0,
    is_admin: user.isAdmin,
    is_owner: false,
    is_primary_owner: false,
    is_restricted: user.isRestricted,
    is_ultra_restricted: false,
    is_bot: user.isBot,
    is_app_user: false,
    ...(user.isStranger ? { is_stranger: true } : {}),
    profile: { real_name: user.realName, display_name: user.name, team: user.teamId },
    ...(user.id === slack.state.world.app.botUserId ? { bot_id: slack.state.world.app.botId } : {}),
  };
}

const authTest = method('either', z.object({}), (slack, _args, token) => {
  const { team, app, users } = slack.state.world;
  const bot = users.find((user) => user.id === app.botUserId);
  if (token === 'app') return { app_name: app.name, app_id: app.id };
  return {
    url: `${slack.origin()}/`,
    team: team.name,
    team_id: team.id,
    user: bot?.name,
    user_id: app.botUserId,
    bot_id: app.botId,
    is_enterprise_install: false,
  };
});

const reactionsAdd = method(
  'bot',
  z.object({ channel: z.string(), timestamp: z.string(), name: z.string().regex(/^[a-z0-9_+'-]+$/) }),
  (slack, args) => {
    const message = findMessage(slack.state, channelOf(slack, args.channel).id, args.timestamp);
    if (message === undefined) throw new SlackError('message_not_found');
    const me = slack.state.world.app.botUserId;
    const there = message.reactions?.find((reaction) => reaction.name === args.name);
    if (there?.users.includes(me)) throw new SlackError('already_reacted');
    if (there === undefined) {
      message.reactions = [...(message.reactions ?? []), { name: args.name, users: [me], count: 1 }];
    } else {
      there.users.push(me);
      there.count += 1;
    }
    slack.state.changes.tell({ kind: 'decorated', message });
    return {};
  },
);

export const peopleMethods: Record<string, Method> = {
  'auth.test': authTest,
  'apps.connections.open': method('app', z.object({}), (slack) => ({
    url: `${slack.origin().replace(/^http/, 'ws')}/link/?ticket=${slack.hub.newTicket()}&app_id=${slack.state.world.app.id}`,
  })),
  'bots.info': method('bot', z.object({ bot: z.string().optional() }), (slack, args) => {
    const { app } = slack.state.world;
    if (args.bot !== undefined && args.bot !== app.botId) throw new SlackError('bot_not_found');
    return { bot: { id: app.botId, deleted: false, name: app.name, app_id: app.id, user_id: app.botUserId } };
  }),
  'reactions.add': reactionsAdd,
  'team.info': method('bot', z.object({ team: z.string().optional() }), (slack, args) => {
    const { team, otherTeam } = slack.state.world;
    const found = [team, otherTeam].find((each) => each.id === (args.team ?? team.id));
    if (found === undefined) throw new SlackError('team_not_found');
    return { team: found };
  }),
  'usergroups.users.list': method('bot', z.object({ usergroup: z.string() }), (slack, args) => {
    const group = slack.state.world.usergroups.find((each) => each.id === args.usergroup);
    if (group === undefined) throw new SlackError('no_such_subteam');
    return { users: group.users };
  }),
  'usergroups.list': method('bot', z.object({}), (slack) => ({
    usergroups: slack.state.world.usergroups.map(({ users, ...group }) => ({ ...group, user_count: users.length })),
  })),
  'users.info': method('bot', z.object({ user: z.string(), include_locale: FormBoolean.optional() }), (slack, args) => {
    const user = slack.state.world.users.find((each) => each.id === args.user);
    if (user === undefined) throw new SlackError('user_not_found');
    return { user: { ...describe(slack, user), ...(args.include_locale === true ? { locale: user.locale } : {}) } };
  }),
  'users.list': method('bot', z.object({ cursor: z.string().optional() }), (slack) => ({
    members: slack.state.world.users.map((user) => describe(slack, user)),
    response_metadata: { next_cursor: '' },
  })),
};
