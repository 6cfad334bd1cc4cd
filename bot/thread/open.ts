import type { Delivery } from '../../infra/queue/bot-side.ts';
import type { Opening } from '../../infra/queue/messages.ts';
import { list } from '../../playbooks/reading/text.ts';
import { askForApproval } from '../approvals/ask.ts';
import { couldAsk, gate } from '../approvals/gate.ts';
import { leftOut } from '../commands/look.ts';
import type { BotContext } from '../context.ts';
import { SlackRefused } from '../slack/errors.ts';
import { refusalSentence } from '../slack/refusals.ts';
import { openingContent, showingMark } from './first-message.ts';
import { postOnce } from './post-once.ts';

/** An opening that could not be done for this long is given up: nobody expects its thread any more. */
const TOO_LATE_MS = 20 * 60_000;

/** How what is left out can be had. */
const more = (playbooks: readonly string[]): string => {
  const named = playbooks.map((id) => `\`${id}\``);
  return named.length === 0 ? '' : ` ${list(named, 'or')} in the thread asks for an approval.`;
};

/** What the look waits for, from what the queue says now. */
const waitsFor = async ({ queue }: BotContext): Promise<string> => {
  const { workers, waiting } = await queue.status();
  if (workers === 0) return 'No worker is running now; the look starts when one does.';
  return waiting === 0 ? 'Starting.' : `Waiting for its turn, ${waiting} before it.`;
};

/**
 * Opens the thread of a command and hands the request to the workers. Safe to repeat. Throws to be called again: when
 * Slack or the queue do not answer.
 */
export const openThread = async (opening: Opening, { attempt }: Delivery, bot: BotContext): Promise<void> => {
  const { slack, queue, log, me } = bot;
  const { channel, user, team, responseUrl } = opening;
  const tell = (sentence: string) => slack.respond(responseUrl, sentence, user);
  const refusal = await bot.access.refusal({ team, user });
  if (refusal !== null) {
    log.info({ user, team, channel }, 'command refused');
    await tell(refusal);
    return;
  }
  const weighed = await gate({ team, channel, user }, opening.request, bot);
  const request = { ...opening.request, allow: [...weighed.allow] };
  if (bot.queue.now() - request.requestedAt > TOO_LATE_MS) {
    log.error({ requestId: request.id, channel, attempt }, 'thread could not be opened in time, given up');
    await tell(`I could not open a thread for process ${request.pid} on ${request.host}. Ask again.`);
    return;
  }
  const found = opening.why === undefined ? '' : `${opening.why} `;
  const why =
    weighed.way === 'ask'
      ? `${found}It needs an approval, which is asked for in the thread.`
      : `${found}${await waitsFor(bot)}${leftOut(request.playbook, request.allow, bot)}${more(await couldAsk({ team, channel, user }, request, request.allow, bot))}`;
  const content = openingContent(request, user, why, bot.languages.ofUser(user));
  let threadTs: string;
  try {
    const place = { channel, since: request.requestedAt };
    threadTs = await postOnce(slack, me.botId, place, content, showingMark(request, 'first'), attempt);
  } catch (error) {
    if (!(error instanceof SlackRefused)) throw error;
    log.warn({ requestId: request.id, channel, code: error.code }, 'thread refused by Slack');
    await tell(refusalSentence(error, me.userId));
    return;
  }
  // What comes into the thread from now on is in the language of who asked.
  await bot.languages.localeOfThread(channel, threadTs, user);
  if (weighed.way === 'ask') {
    const { needs, approvers } = weighed;
    const wanted = { asked: request, needs: [...needs], team, channel, user, threadTs, first: true, lastSeen: null };
    await askForApproval(wanted, approvers, attempt, bot);
    return;
  }
  const origin = { kind: 'slack', team, channel, user, threadTs, via: 'command' } as const;
  await queue.enqueue({ ...request, origin });
};
