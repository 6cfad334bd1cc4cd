import { Request } from '../../playbooks/model/index.ts';
import type { BotContext } from '../context.ts';
import { requestIdOf } from '../request-id.ts';
import { SlackAway, SlackRefused } from '../slack/errors.ts';
import { sentenceContent } from '../thread/first-message.ts';
import { postOnce } from '../thread/post-once.ts';
import { changeSentence, watchContent, watched, watchMark } from './message.ts';
import { addWatch, loadWatch, saveWatch, type Watch, withWatch } from './state.ts';
import { takeIn } from './take-in.ts';

/** The errand that does a watch's work. */
export const WATCH_ERRAND = 'watch';
/** The playbook of its looks; every step of it does nothing to the process. */
export const WATCH_PLAYBOOK = 'watch';
const EVERY_MS = 25_000;

const everyMs = ({ watchEveryMs }: Pick<BotContext, 'watchEveryMs'>): number => watchEveryMs ?? EVERY_MS;

/** Has look number `round` made, `delayMs` from now. The same round is set once. */
const setRound = async ({ queue }: BotContext, watch: Watch, round: number, delayMs: number): Promise<void> => {
  const data = { watch: watch.id, round };
  const id = `watch-${watch.id}-${round}`;
  await queue.accept({ kind: 'errand', id, errand: WATCH_ERRAND, data, at: queue.now() }, delayMs);
};

/** Has a watch ended when its time is over, even if no look of it is answered then. */
const setDeadline = async ({ queue }: BotContext, watch: Watch): Promise<void> => {
  const id = `watch-${watch.id}-until-${watch.until}`;
  const data = { watch: watch.id };
  const delayMs = Math.max(0, watch.until - queue.now());
  await queue.accept({ kind: 'errand', id, errand: WATCH_ERRAND, data, at: queue.now() }, delayMs);
};

/** Sets what a watch needs that has just begun, or has got more time. Safe to repeat. */
const setWork = async (bot: BotContext, watch: Watch): Promise<void> => {
  // A round that is set already, or is being looked for, is not set again.
  await setRound(bot, watch, watch.round + 1, 0);
  await setDeadline(bot, watch);
};

/** Shows a watch in its message. One that has been deleted is no reason to end. */
const show = async (bot: BotContext, watch: Watch, busy: 'wait' | 'skip'): Promise<void> => {
  const { channel, messageTs, threadTs } = watch;
  if (messageTs === null) return;
  try {
    await bot.slack.edit(
      { channel, ts: messageTs, threadTs },
      watchContent(watch, everyMs(bot)),
      watchMark(watch),
      busy,
    );
  } catch (error) {
    // What is not shown now is shown after the next look.
    if (!(error instanceof SlackRefused) && !(busy === 'skip' && error instanceof SlackAway)) throw error;
    bot.log.warn({ watch: watch.id, channel, error: error.message }, 'message of the watch cannot be edited');
  }
};

const say = async (bot: BotContext, watch: Watch, part: string, sentence: string, attempt: number): Promise<void> => {
  const { channel, threadTs, startedAt, id } = watch;
  const place = { channel, threadTs, since: startedAt };
  try {
    await postOnce(bot.slack, bot.me.botId, place, sentenceContent(sentence), { request_id: id, part }, attempt);
  } catch (error) {
    if (!(error instanceof SlackRefused)) throw error;
    bot.log.error({ watch: id, channel, code: error.code }, 'word of the watch refused by Slack');
  }
};

/** Shows that a watch has ended, and tells the thread where it has to. Safe to repeat. */
const showEnd = async (bot: BotContext, watch: Watch, attempt: number): Promise<void> => {
  const { ended } = watch;
  if (ended === null || ended.shown) return;
  if (ended.tell) await say(bot, watch, 'watch-ended', `I no longer watch ${watched(watch)}: ${ended.why}`, attempt);
  await show(bot, watch, 'wait');
  // Without a message yet, whoever posts it shows the end in it.
  if (watch.messageTs !== null) await saveWatch(bot.queue, { ...watch, ended: { ...ended, shown: true } });
};

/** Ends a watch; false when it had ended. Safe to repeat. Throws SlackAway and QueueUnavailable. */
export const endWatch = (bot: BotContext, id: string, why: string): Promise<boolean> =>
  withWatch(bot.queue, id, async () => {
    const watch = await loadWatch(bot.queue, id);
    if (watch === null) return false;
    const ended = watch.ended ?? { at: bot.queue.now(), why, tell: false, shown: false };
    const after = { ...watch, ended };
    if (watch.ended === null) await saveWatch(bot.queue, after);
    // Whoever began to show it may have ended in the middle.
    await showEnd(bot, after, 2);
    return watch.ended === null;
  });

/**
 * Begins a watch: keeps it, posts its message, has its first look made. It is kept first, so that a `cancel` that follows its
 * message finds it. Safe to repeat. Throws SlackRefused, SlackAway and QueueUnavailable.
 */
export const beginWatch = async (bot: BotContext, watch: Watch, attempt: number): Promise<void> => {
  const { queue, slack, me } = bot;
  await addWatch(queue, watch);
  const place = { channel: watch.channel, threadTs: watch.threadTs, since: watch.startedAt };
  const messageTs = await postOnce(
    slack,
    me.botId,
    place,
    watchContent(watch, everyMs(bot)),
    watchMark(watch),
    attempt,
  );
  await withWatch(queue, watch.id, async () => {
    const kept = await loadWatch(queue, watch.id);
    if (kept === null) return;
    const posted = { ...kept, messageTs };
    if (kept.messageTs === null) await saveWatch(queue, posted);
    await (posted.ended === null ? setWork(bot, posted) : showEnd(bot, posted, attempt));
  });
};

/** Gives a watch another end; null when it has ended meanwhile. Safe to repeat. Throws QueueUnavailable. */
export const extendWatch = (bot: BotContext, id: string, until: number): Promise<Watch | null> =>
  withWatch(bot.queue, id, async () => {
    const watch = await loadWatch(bot.queue, id);
    if (watch === null || watch.ended !== null) return null;
    const later = { ...watch, until };
    await saveWatch(bot.queue, later);
    await setWork(bot, later);
    return later;
  });

const ask = async ({ queue }: BotContext, watch: Watch, round: number): Promise<void> => {
  const { id, team, channel, user, threadTs, host, pid, startTime } = watch;
  const handTo = { errand: WATCH_ERRAND, data: { watch: id, round } };
  const request: Request = {
    id: requestIdOf('watch', id, String(round)),
    host,
    pid,
    ...(startTime === null ? {} : { startTime }),
    playbook: WATCH_PLAYBOOK,
    allow: ['none'],
    origin: { kind: 'slack', team, channel, user, threadTs, via: 'follow-up', quiet: true, handTo },
    requestedAt: queue.now(),
  };
  await queue.enqueue(Request.parse(request));
};

/** The look of a round is answered: what came or went is said, then kept, then the next round is set, then all is shown. */
const answered = async (
  bot: BotContext,
  before: Watch,
  round: number,
  requestId: string,
  attempt: number,
): Promise<void> => {
  let watch = before;
  if (round > before.round) {
    const answer = await bot.queue.answerTo(requestId);
    const taken = takeIn(before, round, answer, bot.queue.now());
    for (const change of taken.changes) {
      const cause = change.kind === 'appeared' ? change.finding.cause : change.cause;
      await say(bot, before, `watch-${round}-${cause}`, changeSentence(before, change), attempt);
    }
    watch = taken.watch;
    await saveWatch(bot.queue, watch);
  }
  if (watch.ended !== null) return await showEnd(bot, watch, attempt);
  const pause = everyMs(bot);
  if (bot.queue.now() + pause < watch.until) await setRound(bot, watch, watch.round + 1, pause);
  await show(bot, watch, 'skip');
};

/** What an errand of a watch is about: a round to begin, a round that is answered (`requestId`), or the end of its time (no `round`). */
export interface WatchWork {
  readonly watch: string;
  readonly round?: number | undefined;
  readonly requestId?: string | undefined;
}

/** Does one piece of a watch's work. Safe to repeat. Throws SlackAway and QueueUnavailable. */
export const workOnWatch = (bot: BotContext, work: WatchWork, attempt: number): Promise<void> =>
  withWatch(bot.queue, work.watch, async () => {
    const watch = await loadWatch(bot.queue, work.watch);
    if (watch === null) {
      bot.log.warn({ watch: work.watch }, 'watch is not known any more');
      return;
    }
    if (watch.ended !== null) return await showEnd(bot, watch, attempt);
    const { round, requestId } = work;
    if (round !== undefined && requestId !== undefined) return await answered(bot, watch, round, requestId, attempt);
    if (bot.queue.now() >= watch.until) {
      const over = { ...watch, ended: { at: bot.queue.now(), why: 'Its time is over.', tell: false, shown: false } };
      await saveWatch(bot.queue, over);
      return await showEnd(bot, over, attempt);
    }
    // Without a round it is the end of a time that was extended since.
    if (round === watch.round + 1) await ask(bot, watch, round);
  });
