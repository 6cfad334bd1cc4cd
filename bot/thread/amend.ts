import type { BotContext } from '../context.ts';
import type { Content } from '../slack/shapes.ts';
import { markOf } from './post-once.ts';

/** Where a message of ours is. */
export interface Posted {
  readonly channel: string;
  readonly ts: string;
  /** The first message of its thread; absent or the same for that one itself. */
  readonly threadTs?: string | undefined;
}

/**
 * Changes a message of ours as it stands at that moment, while nobody else edits it. `change` returns null when there is
 * nothing to change. Returns false for a message that is gone or not ours, which is left as it is. Throws SlackRefused, SlackAway and QueueUnavailable.
 */
export const amend = async (
  { slack, queue, me }: Pick<BotContext, 'slack' | 'queue' | 'me'>,
  place: Posted,
  change: (content: Content) => Content | null | Promise<Content | null>,
): Promise<boolean> => {
  let ours = false;
  await queue.turns.other(place, async () => {
    const message = await slack.message(place);
    const mark = message === null ? null : markOf(message, me.botId);
    if (message === null || mark === null) return;
    ours = true;
    const changed = await change({ text: message.text ?? '', blocks: message.blocks ?? [] });
    if (changed !== null) await slack.edit(place, changed, mark, 'wait');
  });
  return ours;
};
