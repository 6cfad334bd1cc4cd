import { z } from 'zod';
import type { BotContext } from '../context.ts';
import { noted } from './noted.ts';
import { decide, decisionOn, showNotRun } from './settle.ts';
import { Wanted } from './wanted.ts';

/** A question for an approval that stands in a thread. */
export const OpenApproval = z.object({ wanted: Wanted, messageTs: z.string() });
export type OpenApproval = z.infer<typeof OpenApproval>;

/** Over all threads; older ones are still ended by a press or by their time. */
const MOST_OPEN = 200;
const KIND = 'approvals';
const ALL = 'all';
const KEEP_SECONDS = 24 * 3600;

const listed = async ({ queue }: Pick<BotContext, 'queue'>): Promise<OpenApproval[]> => {
  const all = z.array(z.unknown()).safeParse(await queue.notes.get(KIND, ALL)).data ?? [];
  const now = queue.now();
  return all.flatMap((each) => OpenApproval.safeParse(each).data ?? []).filter(({ wanted: { until } }) => until > now);
};

/** Lists a question, so that it can be withdrawn. Safe to repeat. Throws QueueUnavailable. */
export const listApproval = ({ queue }: Pick<BotContext, 'queue'>, open: OpenApproval): Promise<void> =>
  queue.alone(KIND, ALL, async () => {
    const others = (await listed({ queue })).filter(({ wanted }) => wanted.asked.id !== open.wanted.asked.id);
    await queue.notes.set(KIND, ALL, [...others, open].slice(-MOST_OPEN), KEEP_SECONDS);
  });

/** The questions that nobody has decided and that `accepted` accepts. Throws QueueUnavailable. */
export const openApprovals = async (
  bot: Pick<BotContext, 'queue'>,
  accepted: (wanted: Wanted) => boolean,
): Promise<OpenApproval[]> => {
  const open: OpenApproval[] = [];
  for (const each of await listed(bot))
    if (accepted(each.wanted) && (await decisionOn(bot, each.wanted.asked.id)) === null) open.push(each);
  return open;
};

/**
 * Takes a question back: nothing is run, whoever says yes afterwards. `by.id` is the same when it is done again. Returns what stands.
 * Throws SlackAway and QueueUnavailable.
 */
export const withdraw = async (
  { wanted, messageTs }: OpenApproval,
  by: { readonly id: string; readonly user: string },
  bot: BotContext,
): Promise<'withdrawn' | 'approved' | 'over'> => {
  const press = `cancel-${by.id}`;
  const back = { verdict: 'refused', user: by.user, press, at: bot.queue.now(), withdrawn: true } as const;
  const stands = await decide(bot, wanted.asked.id, back);
  if (stands.press !== press) return stands.verdict === 'approved' ? 'approved' : 'over';
  await noted(bot, 'refused', wanted, by.user, 'withdrawn by cancel');
  await showNotRun(wanted, messageTs, stands, bot);
  return 'withdrawn';
};
