import { z } from 'zod';
import { Mention } from '../infra/queue/messages.ts';
import type { BotContext } from './context.ts';
import type { Said } from './follow-up.ts';
import { Mark } from './slack/shapes.ts';
import { sentenceContent } from './thread/first-message.ts';
import { postOnce } from './thread/post-once.ts';

/** A verification under way: who asked where, and which look it is compared with. */
export const Verifying = z.object({
  mention: Mention,
  thread: z.object({ ts: z.string(), mark: Mark }),
  /** The id of the look before the fix. */
  before: z.string(),
});
export type Verifying = z.infer<typeof Verifying>;

/** As if it were said once more, by the one who asked. */
export const saidAgain = ({ mention, thread }: Verifying, attempt: number): Said => ({
  mention,
  words: [],
  thread,
  attempt,
});

/** Says a sentence about the verification in its thread, once. */
export const sayInThread = async (
  { mention, thread }: Verifying,
  part: string,
  sentence: string,
  attempt: number,
  { slack, me }: Pick<BotContext, 'slack' | 'me'>,
): Promise<void> => {
  const place = { channel: mention.channel, threadTs: thread.ts, since: mention.at };
  await postOnce(slack, me.botId, place, sentenceContent(sentence), { request_id: mention.id, part }, attempt);
};
