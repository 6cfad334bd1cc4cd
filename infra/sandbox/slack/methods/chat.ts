import { z } from 'zod';
import type { Slack } from '../context.ts';
import { addMessage, asSent, findMessage, removeMessage, replaceMessage } from '../messages.ts';
import { botMessage, channelOf, checkThread, contentOf, postableChannel } from '../posting.ts';
import { addEphemeral } from '../response-urls.ts';
import { SlackError } from '../slack-error.ts';
import type { SlackMessage } from '../types.ts';
import type { WorldChannel } from '../world.ts';
import { openIm } from './conversations.ts';
import { FormJson, type Method, method } from './method.ts';

/** An edit's text is held to a tenth of a message's (docs.slack.dev, chat.update, `msg_too_long`). */
const MAX_UPDATE_TEXT = 4_000;

const content = {
  text: z.string().optional(),
  markdown_text: z.string().optional(),
  blocks: FormJson.optional(),
  attachments: FormJson.optional(),
};

/** A person's id as the channel of a message means the direct conversation with them. */
function destination(slack: Slack, which: string): WorldChannel {
  const person = slack.state.world.users.find((user) => user.id === which);
  return person === undefined ? postableChannel(slack, which) : openIm(slack, person.id);
}

function ownMessage(slack: Slack, channel: string, ts: string, refusal: string): SlackMessage {
  const message = findMessage(slack.state, channelOf(slack, channel).id, ts);
  if (message === undefined) throw new SlackError('message_not_found');
  if (message.bot_id !== slack.state.world.app.botId) throw new SlackError(refusal);
  return message;
}

const postMessage = method(
  'bot',
  z.object({ channel: z.string(), thread_ts: z.string().optional(), metadata: FormJson.optional(), ...content }),
  (slack, args) => {
    const channel = destination(slack, args.channel);
    const checked = contentOf(args);
    checkThread(slack, channel.id, args.thread_ts);
    const message = botMessage(slack, channel.id, checked, args.thread_ts);
    if (args.metadata !== undefined) message.metadata = args.metadata;
    addMessage(slack.state, message);
    return { channel: channel.id, ts: message.ts, message: asSent(message) };
  },
);

const update = method(
  'bot',
  z.object({ channel: z.string(), ts: z.string(), metadata: FormJson.optional(), ...content }),
  (slack, args) => {
    const previous = ownMessage(slack, args.channel, args.ts, 'cant_update_message');
    const checked = contentOf(args, MAX_UPDATE_TEXT);
    const edited = { user: slack.state.world.app.botUserId, ts: slack.state.nextTs() };
    // Blocks and attachments that are not given stay; an empty list takes them away.
    const message: SlackMessage = { ...previous, ...checked, edited };
    if (args.metadata !== undefined) message.metadata = args.metadata;
    replaceMessage(slack.state, message);
    return { channel: message.channel, ts: message.ts, text: message.text, message: asSent(message) };
  },
);

const remove = method('bot', z.object({ channel: z.string(), ts: z.string() }), (slack, args) => {
  const message = ownMessage(slack, args.channel, args.ts, 'cant_delete_message');
  removeMessage(slack.state, message);
  return { channel: message.channel, ts: message.ts };
});

const postEphemeral = method(
  'bot',
  z.object({ channel: z.string(), user: z.string(), thread_ts: z.string().optional(), ...content }),
  (slack, args) => {
    const channel = postableChannel(slack, args.channel);
    if (!slack.state.world.users.some((user) => user.id === args.user)) throw new SlackError('user_not_found');
    if (!channel.members.includes(args.user)) throw new SlackError('user_not_in_channel');
    const checked = contentOf(args);
    checkThread(slack, channel.id, args.thread_ts);
    const message = botMessage(slack, channel.id, checked, args.thread_ts);
    addEphemeral(slack, message, args.user);
    return { message_ts: message.ts };
  },
);

const getPermalink = method('bot', z.object({ channel: z.string(), message_ts: z.string() }), (slack, args) => {
  const channel = channelOf(slack, args.channel);
  const message = findMessage(slack.state, channel.id, args.message_ts);
  if (message === undefined) throw new SlackError('message_not_found');
  return { channel: channel.id, permalink: permalinkOf(slack, message) };
});

/** The address of a message on this Slack's page. */
export function permalinkOf(slack: Slack, message: SlackMessage): string {
  const thread = message.thread_ts === undefined ? '' : `?thread_ts=${message.thread_ts}`;
  return `${slack.origin()}/archives/${message.channel}/p${message.ts.replace('.', '')}${thread}`;
}

export const chatMethods: Record<string, Method> = {
  'chat.postMessage': postMessage,
  'chat.update': update,
  'chat.delete': remove,
  'chat.postEphemeral': postEphemeral,
  'chat.getPermalink': getPermalink,
};
