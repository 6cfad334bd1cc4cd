import type { Press } from '../../infra/queue/messages.ts';
import { impactsNotAllowed, Request } from '../../playbooks/model/index.ts';
import type { BotContext } from '../context.ts';
import { SlackRefused } from '../slack/errors.ts';
import type { Content } from '../slack/shapes.ts';
import { failureContent, openingContent, showingMark } from '../thread/first-message.ts';
import { postOnce } from '../thread/post-once.ts';
import { noted } from './noted.ts';
import { approvalMark, decidedContent } from './show.ts';
import { Decision, type Wanted } from './wanted.ts';

const KIND = 'approval';
/** Longer than a button is told to be late. */
const REMEMBER_SECONDS = 30 * 24 * 3600;

/** What has been decided about a request; null while nothing has. Throws QueueUnavailable. */
export const decisionOn = async ({ queue }: Pick<BotContext, 'queue'>, requestId: string): Promise<Decision | null> =>
  Decision.safeParse(await queue.notes.get(KIND, requestId)).data ?? null;

/** Decides, if nobody has. Returns what stands: the first decision over all bots. Throws QueueUnavailable. */
export const decide = async (
  bot: Pick<BotContext, 'queue'>,
  requestId: string,
  decision: Decision,
): Promise<Decision> => {
  if (await bot.queue.notes.claim(KIND, requestId, decision, REMEMBER_SECONDS)) return decision;
  const stands = await decisionOn(bot, requestId);
  // A decision that cannot be read is not taken for one's own.
  if (stands === null) throw new Error(`the decision on ${requestId} cannot be read`);
  return stands;
};

/** The sentence for somebody who pressed when it was decided already. */
export const decidedSentence = ({ verdict, user, withdrawn }: Decision): string =>
  withdrawn === true
    ? `It was withdrawn by <@${user}>. Ask again if it is still wanted.`
    : verdict === 'expired'
      ? 'It is too late: the approval has expired. Ask again.'
      : `<@${user}> has ${verdict} this already.`;

/**
 * Why somebody may not approve, as the policy stands now; null when they may. Also that the requester may still ask, and what
 * they may do by now. A refusal is written into the audit log. Throws SlackAway and QueueUnavailable.
 */
export const approvalRefusal = async (wanted: Wanted, press: Press, bot: BotContext): Promise<string | null> => {
  const { asked, team, channel, user } = wanted;
  // A press that has counted already and is delivered again.
  const stands = await decisionOn(bot, asked.id);
  if (stands !== null) return stands.press === press.id ? null : decidedSentence(stands);
  const requester = { team, channel, user };
  const gone = await bot.access.refusal(requester);
  const allowed = await bot.policy.allowed(requester, asked.host);
  const impacts = impactsNotAllowed(asked.allow, allowed);
  const refusal =
    gone === null
      ? await bot.policy.mayApprove(press, { host: asked.host, impacts, requester: user })
      : `<@${user}>, who asked, may not ask any more. Ask for it yourself.`;
  if (refusal !== null) await noted(bot, 'denied', wanted, press.user, `approval not accepted: ${refusal}`);
  return refusal;
};

/** Edits a message; one that is gone or may not be edited is left. */
const edited = async (
  bot: BotContext,
  { channel, threadTs }: Wanted,
  ts: string,
  content: Content,
  mark: Parameters<BotContext['slack']['edit']>[2],
) => {
  try {
    await bot.slack.edit({ channel, ts, threadTs }, content, mark, 'wait');
  } catch (error) {
    if (!(error instanceof SlackRefused)) throw error;
    bot.log.warn({ channel, code: error.code }, 'message about an approval cannot be edited');
  }
};

/** Shows that nothing will run, in the question and where the look would have been shown. Safe to repeat. */
export const showNotRun = async (
  wanted: Wanted,
  messageTs: string,
  decision: Decision,
  bot: BotContext,
  trouble: string | null = null,
): Promise<void> => {
  const { asked, user, threadTs, first } = wanted;
  await edited(bot, wanted, messageTs, decidedContent(wanted, decision, bot, trouble), approvalMark(wanted));
  if (!first) return;
  const words = { approved: '', refused: 'The approval was refused.', expired: 'Nobody approved it in time.' };
  const what = decision.withdrawn === true ? 'The question for an approval was withdrawn.' : words[decision.verdict];
  const sentence = `${what} ${trouble ?? 'Nothing was run; the thread has what was asked.'}`.trim();
  const content = failureContent(asked, user, { code: 'not-approved', sentence });
  await edited(bot, wanted, threadTs, content, showingMark(asked, 'first'));
};

/**
 * Does what was approved: writes it down, shows who approved, and hands the look to the workers with the approval in it. What
 * cannot be written down is not done. Safe to repeat. Throws to be called again.
 */
export const makeLook = async (
  wanted: Wanted,
  press: Press,
  decision: Decision,
  attempt: number,
  bot: BotContext,
): Promise<void> => {
  const { asked, team, channel, user, threadTs, first, lastSeen, needs, handTo } = wanted;
  const { slack, me, queue, policy } = bot;
  const unwritten = await noted(bot, 'approved', wanted, press.user);
  if (unwritten !== null) {
    await showNotRun(
      wanted,
      press.messageTs,
      decision,
      bot,
      `Nothing was run, for it must be written down first. ${unwritten}`,
    );
    return;
  }
  await edited(bot, wanted, press.messageTs, decidedContent(wanted, decision, bot), approvalMark(wanted));
  const { workers } = await queue.status();
  const starts = workers === 0 ? 'No worker is running now; the look starts when one does.' : 'Starting.';
  const content = openingContent(asked, user, `Approved. ${starts}`);
  let messageTs: string | undefined;
  if (first) {
    await edited(bot, wanted, threadTs, content, showingMark(asked, 'first'));
  } else {
    const place = { channel, threadTs, since: decision.at };
    messageTs = await postOnce(slack, me.botId, place, content, showingMark(asked, 'look'), attempt);
  }
  const startTime = asked.startTime ?? lastSeen?.startTime;
  const approval = {
    by: press.user,
    at: decision.at,
    until: decision.at + policy.approvalSeconds * 1_000,
    impacts: [...new Set([...asked.allow, ...needs])],
    host: asked.host,
    pid: asked.pid,
    ...(startTime === undefined ? {} : { startTime }),
  };
  const way = { via: first ? 'command' : 'follow-up', ...(handTo && { handTo }) } as const;
  const place = { team, channel, user, threadTs, ...(messageTs === undefined ? {} : { messageTs }) };
  await queue.enqueue(Request.parse({ ...asked, approval, origin: { kind: 'slack', ...place, ...way } }));
};
