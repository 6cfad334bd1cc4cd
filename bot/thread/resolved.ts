import type { KnownBlock } from '@slack/types';
import { z } from 'zod';
import { duration } from '../../playbooks/reading/text.ts';
import type { BotContext } from '../context.ts';
import { SlackRefused } from '../slack/errors.ts';
import type { Content } from '../slack/shapes.ts';
import { amend } from './amend.ts';
import { header, paragraph, person, plain } from './rich-text.ts';

/** Who said that a thread's matter is done with, and when. */
const Resolved = z.object({
  /** Of what was said or pressed: the same one again is no second one. */
  id: z.string(),
  user: z.string(),
  /** Milliseconds since 1970. */
  at: z.number(),
});
export type Resolved = z.infer<typeof Resolved>;

/** A thread, by its first message. */
export interface Thread {
  readonly channel: string;
  readonly threadTs: string;
}

const KIND = 'resolved';
const KEEP_SECONDS = 30 * 24 * 3600;
const LINE_ID = 'straceback-resolved';

const idOf = ({ channel, threadTs }: Thread): string => `${channel}-${threadTs}`;

/** Who resolved a thread; null while it is open. Throws QueueUnavailable. */
export const resolvedBy = async ({ queue }: Pick<BotContext, 'queue'>, thread: Thread): Promise<Resolved | null> =>
  Resolved.safeParse(await queue.notes.get(KIND, idOf(thread))).data ?? null;

/** How long the thread's matter lasted: from its first message on. */
export const lasted = ({ threadTs }: Thread, { at }: Resolved): string =>
  duration(Math.max(0, Math.round(at / 1_000 - Number(threadTs))));

/** The first message of a thread that is done with: green, with who said so and how long it lasted. Pure. */
export const withResolved = ({ text, blocks }: Content, thread: Thread, resolved: Resolved): Content => {
  const rest = blocks.filter((block) => block.block_id !== LINE_ID);
  const [first, ...more] = rest;
  const line: KnownBlock = {
    ...paragraph([plain('✅ Resolved by '), person(resolved.user), plain(` after ${lasted(thread, resolved)}.`)]),
    block_id: LINE_ID,
  };
  const sign = /^(?:🔴|🟠|🟡|🔵|🟢|⚪|✅) /u;
  return {
    text: `✅ ${text.replace(sign, '')}`,
    blocks:
      first?.type === 'header' ? [header(`✅ ${first.text.text.replace(sign, '')}`), line, ...more] : [line, ...rest],
  };
};

/**
 * Says in a thread's first message that its matter is done with. Safe to repeat. `note` is what helped, in their words, for the
 * history. Returns who did so before; else whether the first
 * message shows it or is not ours to change. Throws SlackAway and QueueUnavailable.
 */
export const resolve = async (
  thread: Thread,
  by: Resolved,
  bot: BotContext,
  note: string | null = null,
): Promise<Resolved | 'shown' | 'not-ours'> => {
  if (!(await bot.queue.notes.claim(KIND, idOf(thread), by, KEEP_SECONDS))) {
    const first = await resolvedBy(bot, thread);
    if (first !== null && first.id !== by.id) return first;
  }
  const said = { kind: 'resolution', ...thread, user: by.user, at: by.at, note } as const;
  await bot.history?.keepNote(`resolution-${by.id}`, said);
  try {
    const first = { channel: thread.channel, ts: thread.threadTs };
    const shown = await amend(bot, first, (content) => withResolved(content, thread, by));
    return shown ? 'shown' : 'not-ours';
  } catch (error) {
    if (!(error instanceof SlackRefused)) throw error;
    bot.log.warn({ channel: thread.channel, code: error.code }, 'first message cannot be edited');
  }
  return 'not-ours';
};

/** Takes back what was said before `at`: the matter is looked at again. Throws QueueUnavailable. */
export const reopen = async ({ queue }: Pick<BotContext, 'queue'>, thread: Thread, at: number): Promise<void> => {
  const resolved = await resolvedBy({ queue }, thread);
  if (resolved !== null && resolved.at < at) await queue.notes.remove(KIND, idOf(thread));
};
