import { z } from 'zod';
import type { Slack } from '../context.ts';
import { asSent, findMessage, messagesIn, threadOf } from '../messages.ts';
import { channelOf, postableChannel } from '../posting.ts';
import { SlackError } from '../slack-error.ts';
import type { SlackMessage } from '../types.ts';
import type { WorldChannel } from '../world.ts';
import { FormBoolean, FormNumber, type Method, method } from './method.ts';

/** The direct conversation of a person with the bot, made when it is not there yet. */
export function openIm(slack: Slack, user: string): WorldChannel {
  const { channels, app } = slack.state.world;
  const there = channels.find((channel) => channel.kind === 'im' && channel.members.includes(user));
  if (there !== undefined) return there;
  const made: WorldChannel = {
    id: slack.state.newId('D'),
    name: user,
    kind: 'im',
    isPrivate: true,
    isArchived: false,
    isExtShared: false,
    topic: '',
    members: [user, app.botUserId],
  };
  channels.push(made);
  return made;
}

function describe(slack: Slack, channel: WorldChannel): Record<string, unknown> {
  const isIm = channel.kind === 'im';
  const { app, team } = slack.state.world;
  return {
    id: channel.id,
    ...(isIm ? { user: channel.members.find((member) => member !== app.botUserId) } : { name: channel.name }),
    is_channel: !isIm && !channel.isPrivate,
    is_group: !isIm && channel.isPrivate,
    is_im: isIm,
    is_mpim: false,
    is_private: channel.isPrivate,
    is_archived: channel.isArchived,
    is_member: channel.members.includes(app.botUserId),
    is_shared: channel.isExtShared,
    is_ext_shared: channel.isExtShared,
    is_org_shared: false,
    context_team_id: team.id,
    created: 1_700_000_000,
    creator: channel.members[0],
    topic: { value: channel.topic, creator: '', last_set: 0 },
    purpose: { value: '', creator: '', last_set: 0 },
  };
}

/** One page of a list, and Slack's cursor to the next: the place to go on from. */
function page<T>(list: T[], cursor: string | undefined, limit: number): { items: T[]; next: string } {
  const from = cursor === undefined || cursor === '' ? 0 : Number(Buffer.from(cursor, 'base64url').toString());
  if (!Number.isInteger(from)) throw new SlackError('invalid_cursor');
  const items = list.slice(from, from + limit);
  const next = from + limit < list.length ? Buffer.from(String(from + limit)).toString('base64url') : '';
  return { items, next };
}

const paging = { cursor: z.string().optional(), limit: FormNumber.pipe(z.number().int().min(1).max(999)).optional() };
const range = {
  latest: z.string().optional(),
  oldest: z.string().optional(),
  inclusive: FormBoolean.optional(),
};

interface Range {
  latest?: string | undefined;
  oldest?: string | undefined;
  inclusive?: boolean | undefined;
}

function within(message: SlackMessage, { latest, oldest, inclusive }: Range): boolean {
  const ts = Number(message.ts);
  if (inclusive && (message.ts === latest || message.ts === oldest)) return true;
  return (latest === undefined || ts < Number(latest)) && (oldest === undefined || ts > Number(oldest));
}

const history = method('bot', z.object({ channel: z.string(), ...paging, ...range }), (slack, args) => {
  const channel = postableChannelOrArchived(slack, args.channel);
  const top = messagesIn(slack.state, channel.id)
    .filter((message) => message.thread_ts === undefined || message.thread_ts === message.ts)
    .filter((message) => within(message, args))
    .reverse();
  const { items, next } = page(top, args.cursor, args.limit ?? 100);
  return { messages: items.map(asSent), has_more: next !== '', response_metadata: { next_cursor: next } };
});

const replies = method('bot', z.object({ channel: z.string(), ts: z.string(), ...paging, ...range }), (slack, args) => {
  const channel = postableChannelOrArchived(slack, args.channel);
  const named = findMessage(slack.state, channel.id, args.ts);
  if (named === undefined) throw new SlackError('thread_not_found');
  const parent = named.thread_ts ?? named.ts;
  const all = threadOf(slack.state, channel.id, parent).filter((message) => {
    return message.ts === parent || within(message, args);
  });
  const { items, next } = page(all, args.cursor, args.limit ?? 1000);
  return { messages: items.map(asSent), has_more: next !== '', response_metadata: { next_cursor: next } };
});

function postableChannelOrArchived(slack: Slack, which: string): WorldChannel {
  const channel = channelOf(slack, which);
  return channel.isArchived ? channel : postableChannel(slack, which);
}

export const conversationMethods: Record<string, Method> = {
  'conversations.history': history,
  'conversations.replies': replies,
  'conversations.info': method('bot', z.object({ channel: z.string() }), (slack, args) => {
    const channel = channelOf(slack, args.channel);
    // A closed channel is not there for those who are not in it.
    if (channel.isPrivate && !channel.members.includes(slack.state.world.app.botUserId))
      throw new SlackError('channel_not_found');
    return { channel: describe(slack, channel) };
  }),
  'conversations.list': method('bot', z.object({ ...paging, types: z.string().optional() }), (slack, args) => {
    const channels = slack.state.world.channels.filter((channel) => channel.kind === 'channel');
    const { items, next } = page(channels, args.cursor, args.limit ?? 100);
    return { channels: items.map((each) => describe(slack, each)), response_metadata: { next_cursor: next } };
  }),
  'conversations.members': method('bot', z.object({ channel: z.string(), ...paging }), (slack, args) => {
    const { items, next } = page(channelOf(slack, args.channel).members, args.cursor, args.limit ?? 100);
    return { members: items, response_metadata: { next_cursor: next } };
  }),
  'users.conversations': method(
    'bot',
    z.object({ user: z.string().optional(), types: z.string().optional(), ...paging }),
    (slack, args) => {
      const { app, users, channels: all } = slack.state.world;
      const user = args.user ?? app.botUserId;
      if (!users.some((each) => each.id === user)) throw new SlackError('user_not_found');
      const types = (args.types ?? 'public_channel').split(',');
      const typeOf = ({ kind, isPrivate }: WorldChannel) =>
        kind === 'im' ? 'im' : isPrivate ? 'private_channel' : 'public_channel';
      // Of another person only those closed channels are told that the bot is in, too.
      const channels = all
        .filter((each) => types.includes(typeOf(each)) && each.members.includes(user))
        .filter((each) => !each.isPrivate || each.members.includes(app.botUserId));
      const { items, next } = page(channels, args.cursor, args.limit ?? 100);
      return { channels: items.map((each) => describe(slack, each)), response_metadata: { next_cursor: next } };
    },
  ),
  'conversations.open': method(
    'bot',
    z.object({ users: z.string().optional(), channel: z.string().optional(), return_im: FormBoolean.optional() }),
    (slack, args) => {
      if (args.channel !== undefined) return { channel: describe(slack, channelOf(slack, args.channel)) };
      const users = (args.users ?? '').split(',').filter((user) => user !== '');
      const [user] = users;
      if (user === undefined) throw new SlackError('users_list_not_supplied');
      if (users.length > 1) throw new SlackError('method_not_supported_for_channel_type');
      if (!slack.state.world.users.some((each) => each.id === user)) throw new SlackError('user_not_found');
      const channel = openIm(slack, user);
      return { channel: args.return_im ? describe(slack, channel) : { id: channel.id } };
    },
  ),
};
