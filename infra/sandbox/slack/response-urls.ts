import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Slack } from './context.ts';
import { addMessage, findMessage, removeMessage, replaceMessage } from './messages.ts';
import { botMessage, contentOf } from './posting.ts';
import type { SlackMessage } from './types.ts';

const MAX_USES = 5;

/** What a response URL was given for: a person in a channel, and the message they acted on. */
export interface ResponseTarget {
  user: string;
  channel: string;
  message?: SlackMessage | undefined;
  /** Everything that was posted through it, in order. */
  responses: SlackMessage[];
}

export interface ResponseUrls {
  /** The path of a new response URL. */
  issue(target: ResponseTarget): string;
  /** The target, which counts as a use, or Slack's error code. */
  use(id: string): ResponseTarget | 'expired_url' | 'used_url' | 'invalid_url';
}

/** Keeps response URLs: each works five times within `lifetimeMs`. */
export function createResponseUrls(lifetimeMs: number): ResponseUrls {
  const issued = new Map<string, { target: ResponseTarget; at: number; uses: number }>();
  return {
    issue(target) {
      const id = randomBytes(18).toString('base64url');
      issued.set(id, { target, at: Date.now(), uses: 0 });
      return `/response/${id}`;
    },
    use(id) {
      const entry = issued.get(id);
      if (entry === undefined) return 'invalid_url';
      if (Date.now() - entry.at > lifetimeMs) return 'expired_url';
      if (entry.uses >= MAX_USES) return 'used_url';
      entry.uses += 1;
      return entry.target;
    },
  };
}

const Answer = z.looseObject({
  text: z.string().optional(),
  blocks: z.unknown().optional(),
  attachments: z.unknown().optional(),
  response_type: z.enum(['ephemeral', 'in_channel']).optional(),
  replace_original: z.union([z.boolean(), z.literal('true'), z.literal('false')]).optional(),
  delete_original: z.union([z.boolean(), z.literal('true'), z.literal('false')]).optional(),
  thread_ts: z.string().optional(),
});

/**
 * Does what an app asks through a response URL or in its acknowledgement: a message to the one person or to the channel, or
 * the original replaced or deleted. Throws SlackError for content that Slack refuses.
 */
export function respondTo(slack: Slack, target: ResponseTarget, raw: unknown): void {
  const answer = Answer.parse(raw);
  const original = target.message;
  const isTrue = (flag: boolean | string | undefined) => flag === true || flag === 'true';
  if (isTrue(answer.delete_original)) {
    if (original !== undefined) deleteOriginal(slack, original);
    return;
  }
  const content = contentOf(answer);
  if (isTrue(answer.replace_original) && original !== undefined) {
    replaceOriginal(slack, target, { ...current(slack, original), ...content });
    return;
  }
  const threadTs = answer.thread_ts ?? original?.thread_ts;
  const message = botMessage(slack, target.channel, content, threadTs);
  target.responses.push(message);
  if (answer.response_type === 'in_channel') {
    addMessage(slack.state, message);
    return;
  }
  addEphemeral(slack, message, target.user);
}

/** Shows a message to one person only. */
export function addEphemeral(slack: Slack, message: SlackMessage, user: string): void {
  message.ephemeral_to = user;
  slack.state.ephemerals.push(message);
  slack.state.changes.tell({ kind: 'ephemeral', message });
}

function current(slack: Slack, original: SlackMessage): SlackMessage {
  if (original.ephemeral_to !== undefined) {
    return slack.state.ephemerals.find((each) => each.ts === original.ts) ?? original;
  }
  return findMessage(slack.state, original.channel, original.ts) ?? original;
}

function replaceOriginal(slack: Slack, target: ResponseTarget, message: SlackMessage): void {
  target.responses.push(message);
  if (message.ephemeral_to === undefined) {
    replaceMessage(slack.state, message);
    return;
  }
  const index = slack.state.ephemerals.findIndex((each) => each.ts === message.ts);
  if (index >= 0) slack.state.ephemerals[index] = message;
  slack.state.changes.tell({ kind: 'ephemeral-update', message });
}

function deleteOriginal(slack: Slack, original: SlackMessage): void {
  if (original.ephemeral_to === undefined) {
    removeMessage(slack.state, original);
    return;
  }
  slack.state.ephemerals = slack.state.ephemerals.filter((each) => each.ts !== original.ts);
  slack.state.changes.tell({ kind: 'ephemeral-delete', message: original });
}
