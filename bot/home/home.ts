import { z } from 'zod';
import type { BotContext } from '../context.ts';
import { seenOf, sightOf } from '../sight.ts';
import { SlackRefused } from '../slack/errors.ts';
import { resolvedBy } from '../thread/resolved.ts';
import { homeView, refusedView } from './view.ts';

/** The errand that shows somebody their home tab. */
export const HOME_ERRAND = 'home';
const MOST_RECENT = 15;
/** So many are kept. */
const MOST_KEPT = 100;
const MOST_STATES = 500;

/** The errand that ends a look for somebody who pressed it in their home tab. */
export const CANCEL_ERRAND = 'cancel-look';

/** What Slack sends of a press in the home tab, as far as it is read. */
export const HomePress = z.object({
  user: z.object({ id: z.string() }),
  trigger_id: z.string(),
  action: z.object({ action_id: z.string(), value: z.string().max(64).optional() }),
});
export type HomePress = z.infer<typeof HomePress>;

/** Has a look ended for somebody. Throws QueueUnavailable. */
export const cancelFromHome = async ({ user, trigger_id: id, action }: HomePress, bot: BotContext): Promise<void> => {
  const data = { user: user.id, requestId: action.value ?? '' };
  await bot.queue.accept({ kind: 'errand', id: `cancel-${id}`, errand: CANCEL_ERRAND, data, at: bot.queue.now() });
};

/**
 * Has somebody's home tab shown anew, soon: at once, or when that was done in this second, in the next one. So it is at most
 * once a second for each person, and never older than what was asked last. Throws QueueUnavailable.
 */
export const refreshHome = async (
  user: string,
  { queue }: Pick<BotContext, 'queue'>,
  afterSeconds = 0,
): Promise<void> => {
  const now = queue.now();
  const second = Math.floor(now / 1_000) + afterSeconds;
  const errand = (of: number) =>
    ({ kind: 'errand', id: `home-${user}-${of}`, errand: HOME_ERRAND, data: { user }, at: now }) as const;
  const until = (of: number) => Math.max(0, of * 1_000 - now);
  if ((await queue.accept(errand(second), until(second))) === 'queued') return;
  await queue.accept(errand(second + 1), until(second + 1));
};

/** Shows somebody their home tab as things are now. Throws SlackAway and QueueUnavailable. */
export const showHome = async (user: string, bot: BotContext): Promise<void> => {
  const { slack, queue, me, log } = bot;
  try {
    const refusal = await bot.access.refusal({ team: me.teamId, user });
    if (refusal !== null) return await slack.publish(user, refusedView(refusal));
    const [all, kept, states] = await Promise.all([
      queue.status(),
      queue.recentLooks.newest(MOST_KEPT),
      queue.hostStates.newest(MOST_STATES),
    ]);
    const sees = sightOf(user, bot);
    const looks = await seenOf(kept, sees, MOST_RECENT);
    const active = await seenOf(
      all.active,
      async ({ request: { origin } }) => origin.kind === 'slack' && (await sees(origin)),
      all.active.length,
    );
    const status = { ...all, active };
    const leftOut = all.active.length - active.length;
    const recent = await Promise.all(
      looks.map(async (look) => ({ ...look, resolved: (await resolvedBy(bot, look)) !== null })),
    );
    const { causes, hosts } = bot;
    const view = homeView({
      status,
      leftOut,
      recent,
      states,
      causes,
      hosts: hosts.names,
      url: me.url,
      now: queue.now(),
    });
    await slack.publish(user, view);
  } catch (error) {
    if (!(error instanceof SlackRefused)) throw error;
    log.warn({ user, code: error.code }, 'home tab cannot be shown');
  }
};
