import { z } from 'zod';
import { Request } from '../../playbooks/model/index.ts';
import { duration } from '../../playbooks/reading/text.ts';
import { OpenApproval, openApprovals, withdraw } from '../approvals/open.ts';
import type { Wanted } from '../approvals/wanted.ts';
import type { BotContext } from '../context.ts';
import { type Sight, seenOf } from '../sight.ts';
import { SlackRefused } from '../slack/errors.ts';
import { watched } from '../watches/message.ts';
import { endWatch, WATCH_ERRAND } from '../watches/run.ts';
import { runningWatches, type Watch } from '../watches/state.ts';

/** What was found to cancel. Kept, so that a delivery that is repeated speaks of the same. */
const Plan = z.object({
  looks: z.array(z.object({ request: Request, seconds: z.number().nullable() })),
  watches: z.array(z.object({ id: z.string(), host: z.string(), pid: z.number() })),
  approvals: z.array(OpenApproval).default([]),
});
type Plan = z.infer<typeof Plan>;

const KEEP_SECONDS = 24 * 3600;
const MOST_SAID = 10;

/** A person's name as others read it; their id where Slack does not tell. Throws SlackAway. */
const nameOf = async ({ slack }: Pick<BotContext, 'slack'>, user: string): Promise<string> => {
  try {
    const { real_name: realName, name } = await slack.person(user);
    return realName || name || user;
  } catch (error) {
    if (!(error instanceof SlackRefused)) throw error;
    return user;
  }
};

/** What somebody wants to end. */
export interface CancelWish {
  /** The same wish is the same id. */
  readonly id: string;
  readonly user: string;
  readonly looks: (request: Request) => boolean;
  readonly watches: (watch: Watch) => boolean;
  /** Questions for an approval that nobody has decided. */
  readonly approvals: (wanted: Wanted) => boolean;
  /** Which of them this person may see; all without it. What they may not see they do not end. */
  readonly sees?: Sight;
}

const planOf = async (bot: BotContext, wish: CancelWish): Promise<Plan> => {
  const { queue } = bot;
  const kept = Plan.safeParse(await queue.notes.get('cancelling', wish.id)).data;
  if (kept !== undefined) return kept;
  const sees = wish.sees ?? (async () => true);
  const [open, running, wanted] = await Promise.all([
    queue.open(wish.looks),
    runningWatches(queue, wish.watches),
    openApprovals(bot, wish.approvals),
  ]);
  const looks = await seenOf(
    open,
    async ({ request: { origin } }) => origin.kind === 'slack' && (await sees(origin)),
    open.length,
  );
  const watches = await seenOf(running, sees, running.length);
  const plan: Plan = {
    looks: looks.map(({ request, progress }) => ({ request, seconds: progress?.seconds ?? null })),
    watches: watches.map(({ id, host, pid }) => ({ id, host, pid })),
    approvals: await seenOf(wanted, (each) => sees(each.wanted), wanted.length),
  };
  await queue.notes.set('cancelling', wish.id, plan, KEEP_SECONDS);
  return plan;
};

const isOfWatch = ({ origin }: Request): boolean => origin.kind === 'slack' && origin.handTo?.errand === WATCH_ERRAND;

const cancelOne = async (
  bot: BotContext,
  wish: CancelWish,
  by: string,
  { request, seconds }: Plan['looks'][number],
): Promise<string | null> => {
  const cancelled = await bot.queue.cancel({ id: wish.id, requestId: request.id, by });
  // The end of a watch is said as such.
  if (isOfWatch(request)) return null;
  const what = `the \`${request.playbook}\` look at ${watched(request)}`;
  switch (cancelled.state) {
    case 'removed':
      return `${what} had not begun, and will not`;
    case 'told':
      return `${what}${seconds === null ? '' : `, which had run for ${duration(Math.max(1, Math.floor(seconds)))},`} is being ended; its answer says what was learnt`;
    case 'already':
      return `${what} is being ended already, as ${cancelled.by} wanted it`;
    case 'ended':
    case 'unknown':
      return `${what} ended by itself in this moment`;
  }
};

const sentences = (parts: readonly string[]): string => {
  const more = parts.length > MOST_SAID ? [`${parts.length - MOST_SAID} more are ended too`] : [];
  return [...parts.slice(0, MOST_SAID), ...more]
    .map((part) => `${part.charAt(0).toUpperCase()}${part.slice(1)}.`)
    .join(' ');
};

/**
 * Ends what runs and waits, looks, watches and questions for an approval; a sentence that says what became of each, or null when there was nothing. Safe to
 * repeat. Throws SlackAway and QueueUnavailable.
 */
export const cancelAll = async (bot: BotContext, wish: CancelWish): Promise<string | null> => {
  const plan = await planOf(bot, wish);
  if (plan.looks.length + plan.watches.length + plan.approvals.length === 0) return null;
  const by = await nameOf(bot, wish.user);
  const said: string[] = [];
  for (const watch of plan.watches) {
    await endWatch(bot, watch.id, `Ended by ${by}.`);
    said.push(`the watch of ${watched(watch)} has ended`);
  }
  for (const approval of plan.approvals) {
    const { asked } = approval.wanted;
    const became = await withdraw(approval, wish, bot);
    const what = `\`${asked.playbook}\` at ${watched(asked)}`;
    if (became === 'withdrawn') said.push(`the question for an approval of ${what} is withdrawn`);
    // Its look may not be in the queue yet.
    if (became === 'approved') said.push(`${what} was approved in this moment; say \`cancel\` again to end it`);
  }
  for (const look of plan.looks) {
    const one = await cancelOne(bot, wish, by, look);
    if (one !== null) said.push(one);
  }
  return said.length === 0 ? null : sentences(said);
};
