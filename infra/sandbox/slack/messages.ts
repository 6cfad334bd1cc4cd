import type { State } from './state.ts';
import type { SlackMessage } from './types.ts';

/** The messages of a channel, oldest first, replies among them. */
export function messagesIn(state: State, channel: string): SlackMessage[] {
  return [...(state.messages.get(channel)?.values() ?? [])];
}

/** The parent and the replies of a thread, oldest first. */
export function threadOf(state: State, channel: string, ts: string): SlackMessage[] {
  return messagesIn(state, channel).filter((message) => message.ts === ts || message.thread_ts === ts);
}

export function findMessage(state: State, channel: string, ts: string): SlackMessage | undefined {
  return state.messages.get(channel)?.get(ts);
}

/** Adds a message, keeps the count of its thread, and tells of it. */
export function addMessage(state: State, message: SlackMessage): void {
  const inChannel = state.messages.get(message.channel) ?? new Map<string, SlackMessage>();
  state.messages.set(message.channel, inChannel);
  inChannel.set(message.ts, message);
  state.changes.tell({ kind: 'message', message });
  if (message.thread_ts !== undefined && message.thread_ts !== message.ts) recountThread(state, message);
}

/** Puts a new version in the place of a message and tells of it. */
export function replaceMessage(state: State, message: SlackMessage): void {
  const previous = findMessage(state, message.channel, message.ts);
  if (previous === undefined) return;
  state.messages.get(message.channel)?.set(message.ts, message);
  state.changes.tell({ kind: 'update', message, previous });
}

/** Takes a message away and tells of it. */
export function removeMessage(state: State, message: SlackMessage): void {
  state.messages.get(message.channel)?.delete(message.ts);
  state.changes.tell({ kind: 'delete', message });
  if (message.thread_ts !== undefined && message.thread_ts !== message.ts) recountThread(state, message);
}

function recountThread(state: State, reply: SlackMessage): void {
  const parent = findMessage(state, reply.channel, reply.thread_ts ?? '');
  if (parent === undefined) return;
  const replies = threadOf(state, reply.channel, parent.ts).filter((message) => message.ts !== parent.ts);
  const users = [...new Set(replies.map((message) => message.user))];
  parent.thread_ts = parent.ts;
  parent.reply_count = replies.length;
  parent.reply_users = users;
  parent.reply_users_count = users.length;
  const latest = replies.at(-1)?.ts;
  if (latest === undefined) delete parent.latest_reply;
  else parent.latest_reply = latest;
  // The page shows the count under the parent; the app hears of the reply itself.
  state.changes.tell({ kind: 'decorated', message: parent });
}

/** The message as an app gets it: without the fields that are only ours. */
export function asSent(message: SlackMessage): Omit<SlackMessage, 'channel' | 'ephemeral_to'> {
  const { channel: _channel, ephemeral_to: _to, ...sent } = message;
  return sent;
}
