import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { type Block, checkMessageBlocks } from './blocks/index.ts';
import type { Slack } from './context.ts';
import { SlackError } from './slack-error.ts';
import type { SlackMessage } from './types.ts';
import type { WorldChannel } from './world.ts';

const MAX_TEXT = 40_000;
const MAX_MARKDOWN = 12_000;
const Attachments = z
  .array(z.looseObject({ blocks: z.unknown().optional(), text: z.string().optional(), color: z.string().optional() }))
  .max(100);

export interface Content {
  text: string;
  blocks?: Block[];
  attachments?: unknown[];
}

export interface ContentArguments {
  text?: string | undefined;
  markdown_text?: string | undefined;
  blocks?: unknown;
  attachments?: unknown;
}

/**
 * What a message is to hold, checked as Slack checks it. `maxText` is the limit of the method. Throws SlackError.
 */
export function contentOf(args: ContentArguments, maxText: number = MAX_TEXT): Content {
  const { markdown_text: markdown } = args;
  const blocks = args.blocks === undefined ? undefined : checkedBlocks(args.blocks);
  const attachments = args.attachments === undefined ? undefined : checkedAttachments(args.attachments);
  if (markdown !== undefined) {
    if (args.text !== undefined || blocks !== undefined) throw new SlackError('markdown_text_conflict');
    if (markdown.length > MAX_MARKDOWN) throw new SlackError('msg_too_long');
    if (markdown.length === 0) throw new SlackError('no_text');
    return { text: markdown, blocks: withIds([{ type: 'markdown', text: markdown }]) };
  }
  const text = args.text ?? '';
  if (text.length > maxText) throw new SlackError('msg_too_long');
  const nothing = (list: unknown[] | undefined) => list === undefined || list.length === 0;
  if (text === '' && nothing(blocks) && nothing(attachments)) throw new SlackError('no_text');
  return {
    text,
    ...(blocks === undefined ? {} : { blocks: withIds(blocks) }),
    ...(attachments === undefined ? {} : { attachments }),
  };
}

function checkedBlocks(raw: unknown): Block[] {
  const verdict = checkMessageBlocks(raw);
  if (!verdict.ok) throw new SlackError(verdict.error, verdict.problems);
  return verdict.value;
}

function checkedAttachments(raw: unknown): unknown[] {
  const parsed = Attachments.safeParse(raw);
  if (!parsed.success) throw new SlackError('invalid_attachments');
  return parsed.data.map((attachment, index) => {
    if (attachment.blocks === undefined) return { id: index + 1, ...attachment };
    const verdict = checkMessageBlocks(attachment.blocks);
    if (!verdict.ok) throw new SlackError('invalid_attachments', verdict.problems);
    return { id: index + 1, ...attachment, blocks: withIds(verdict.value) };
  });
}

/** Gives every block and every element an id, as Slack does where the app gave none. */
export function withIds(blocks: Block[]): Block[] {
  const named = <Element extends { type: string }>(element: Element): Element =>
    element.type === 'image' || ('action_id' in element && element.action_id !== undefined)
      ? element
      : { ...element, action_id: newShortId() };
  return blocks.map((block): Block => {
    const block_id = block.block_id ?? newShortId();
    if (block.type === 'actions') return { ...block, block_id, elements: block.elements.map(named) };
    if (block.type === 'input') return { ...block, block_id, element: named(block.element) };
    if (block.type === 'section' && block.accessory !== undefined) {
      return { ...block, block_id, accessory: named(block.accessory) };
    }
    return { ...block, block_id };
  });
}

function newShortId(): string {
  return randomBytes(4).toString('base64url').slice(0, 5);
}

/** The channel of a request, by id or name. Throws `channel_not_found`. */
export function channelOf(slack: Slack, which: string): WorldChannel {
  const wanted = which.replace(/^#/, '');
  const found = slack.state.world.channels.find((each) => each.id === wanted || each.name === wanted);
  if (found === undefined) throw new SlackError('channel_not_found');
  return found;
}

/** The channel, when the app may post into it. Throws `channel_not_found`, `is_archived` or `not_in_channel`. */
export function postableChannel(slack: Slack, which: string): WorldChannel {
  const found = channelOf(slack, which);
  if (found.isArchived) throw new SlackError('is_archived');
  if (!found.members.includes(slack.state.world.app.botUserId)) {
    throw new SlackError(found.isPrivate ? 'channel_not_found' : 'not_in_channel');
  }
  return found;
}

/**
 * Checks the thread that a message is to go to: a parent of this channel. Throws `invalid_thread_ts` for what is no ts,
 * `thread_not_found`, and `cannot_reply_to_message` for the ts of a reply.
 */
export function checkThread(slack: Slack, channel: string, threadTs: string | undefined): void {
  if (threadTs === undefined) return;
  if (!/^\d{10,}\.\d{6}$/.test(threadTs)) throw new SlackError('invalid_thread_ts');
  const parent = slack.state.messages.get(channel)?.get(threadTs);
  if (parent === undefined) throw new SlackError('thread_not_found');
  if (parent.thread_ts !== undefined && parent.thread_ts !== parent.ts) throw new SlackError('cannot_reply_to_message');
}

/** A message of the app, not yet posted. */
export function botMessage(slack: Slack, channel: string, content: Content, threadTs?: string): SlackMessage {
  const { app, team } = slack.state.world;
  const parent = threadTs === undefined ? undefined : slack.state.messages.get(channel)?.get(threadTs);
  return {
    type: 'message',
    channel,
    ts: slack.state.nextTs(),
    user: app.botUserId,
    team: team.id,
    bot_id: app.botId,
    app_id: app.id,
    bot_profile: { id: app.botId, app_id: app.id, name: app.name },
    ...content,
    ...(threadTs === undefined ? {} : { thread_ts: threadTs }),
    ...(parent === undefined ? {} : { parent_user_id: parent.user }),
  };
}
