import type { Delivery } from '../../infra/queue/bot-side.ts';
import type { Answer } from '../../infra/queue/messages.ts';
import { confidenceWords, headline } from '../../playbooks/report-parts.ts';
import { inLanguage, type Language } from '../../playbooks/words/index.ts';
import type { BotContext } from '../context.ts';
import { mayBeTold } from '../slack/audience.ts';
import { showAnswer, showHeadline } from '../thread/answer.ts';
import { paragraph, plain } from '../thread/rich-text.ts';
import { type Group, withLook } from './group.ts';
import { changeAndShow, readGroup } from './group-notes.ts';
import { leaveRoom } from './room.ts';
import { faultIn, linkedTo, type Sighting, sighted } from './same-cause.ts';
import { changeMember } from './storm.ts';
import { linkTo, oneLine } from './thread.ts';

const LOST = 'The look was made, but its answer is no longer kept.';

/** What the first message says of a look that is done. */
const outcomeOf = (
  { outcome }: Answer,
  language: Language,
): { state: 'done' | 'failed'; said: string; cause?: string } => {
  if (outcome.kind === 'failure') return { state: 'failed', said: inLanguage(outcome.failure.sentence, language) };
  const { report } = outcome;
  const fault = faultIn(report);
  const sure = fault === null ? '' : `; ${inLanguage(confidenceWords(fault.confidence), language)}`;
  return {
    state: 'done',
    said: oneLine(`${headline(report, language).replaceAll('`', '')}${sure}.`, 500),
    ...(fault === null ? {} : { cause: fault.cause }),
  };
};

/** The groups in which this very trouble was found before; each of them and this one get a link to the other. */
const twinsOf = async (bot: BotContext, group: Group, answer: Answer): Promise<Sighting | null> => {
  const { request, outcome } = answer;
  const { origin } = request;
  const fault = outcome.kind === 'report' ? faultIn(outcome.report) : null;
  if (outcome.kind !== 'report' || fault === null || origin.kind !== 'slack') return null;
  const { channel, threadTs } = origin;
  const others = await sighted(bot, group, { channel, threadTs }, outcome.report, fault);
  // One whose thread the readers of this one may not know of is none for them: they get the report themselves.
  const told = await Promise.all(others.map((other) => mayBeTold(other.channel, channel, bot)));
  const twin = others.filter((_, index) => told[index]).at(-1);
  if (twin === undefined) return null;
  const own = { group: group.id, title: oneLine(group.title, 200), channel, ts: threadTs };
  await changeAndShow(bot, group.id, (kept) => linkedTo(kept, twin, fault.cause));
  if (await mayBeTold(channel, twin.channel, bot))
    await changeAndShow(bot, twin.group, (kept) => linkedTo(kept, own, fault.cause));
  return twin;
};

/** Shows the answer as the answer of any look; for a trouble that another group's thread reports already, a link to it. */
const show = async (bot: BotContext, answer: Answer, twin: Sighting | null, { attempt }: Delivery): Promise<void> => {
  const { request } = answer;
  const { origin } = request;
  if (origin.kind !== 'slack') return;
  const { quiet: _quiet, handTo: _handTo, ...loud } = origin;
  const aloud = { ...answer, request: { ...request, origin: loud } };
  const readFile = bot.queue.readFile;
  if (twin === null) return await showAnswer(aloud, { attempt, readFile }, bot);
  const line = paragraph([
    plain('The same cause in the same process was found for '),
    { type: 'link', url: linkTo(bot.me.url, twin), text: twin.title === '' ? 'another alert' : twin.title },
    plain(', where the report is.'),
  ]);
  await showHeadline(aloud, line, bot);
};

/**
 * Takes the end of a look that an alert asked for: its room is free, its cause is kept with the group, its report is shown. Safe
 * to repeat. Throws to be called again: when Slack or the queue do not answer.
 */
export const takeAnswer = async (
  groupId: string,
  requestId: string,
  delivery: Delivery,
  bot: BotContext,
): Promise<void> => {
  await leaveRoom(bot, requestId);
  const [answer, group] = await Promise.all([bot.queue.answerTo(requestId), readGroup(bot, groupId)]);
  const ended = answer === null ? { state: 'failed' as const, said: LOST } : outcomeOf(answer, bot.languages.ofSite);
  const after = await changeAndShow(bot, groupId, (kept) => withLook(kept, requestId, ended));
  if (after !== null) await changeMember(bot, after);
  if (answer === null) {
    bot.log.error({ requestId, group: groupId }, 'answer of an alert’s look is gone');
    return;
  }
  const twin = group === null ? null : await twinsOf(bot, group, answer);
  await show(bot, answer, twin, delivery);
};
