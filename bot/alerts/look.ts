import type { Candidate, Found } from '../../playbooks/model/index.ts';
import { HARMLESS_BY_DEFAULT, Request, selectorText } from '../../playbooks/model/index.ts';
import { code, count, kib } from '../../playbooks/reading/text.ts';
import type { BotContext } from '../context.ts';
import { SlackRefused } from '../slack/errors.ts';
import { openingContent, sentenceContent, showingMark } from '../thread/first-message.ts';
import { postOnce } from '../thread/post-once.ts';
import { bullets, fallback, paragraph, plain, spans } from '../thread/rich-text.ts';
import type { Group, GroupLook } from './group.ts';
import { withLook } from './group.ts';
import { changeAndShow } from './group-notes.ts';
import { leaveRoom } from './room.ts';
import { showGroup } from './show.ts';
import { changeMember, showStorm } from './storm.ts';

const MAX_LISTED = 20;

type Place = { readonly channel: string; readonly threadTs: string };

/** The thread of a group, opened when it is not yet; null when Slack refuses it one. */
const threadOf = async (bot: BotContext, group: Group): Promise<Place | null> => {
  if (group.storm !== null) return await showStorm(bot, group.storm);
  const shown = group.threadTs === null ? await showGroup(bot, group.id) : group;
  return shown?.threadTs == null ? null : { channel: shown.channel, threadTs: shown.threadTs };
};

/** Ends a look without a report: its room is free for the next, and the first message says why. Safe to repeat. */
export const endLook = async (
  bot: BotContext,
  group: Group,
  look: GroupLook,
  state: 'failed' | 'listed' | 'left',
  said: string,
): Promise<void> => {
  await leaveRoom(bot, look.id);
  const after = await changeAndShow(bot, group.id, (kept) => withLook(kept, look.id, { state, said }));
  if (after !== null) await changeMember(bot, after);
};

/** A sentence in the thread of a group. A thread that Slack refuses is in the log. */
const say = async (
  bot: BotContext,
  group: Group,
  look: GroupLook,
  part: string,
  content: ReturnType<typeof sentenceContent>,
) => {
  try {
    const place = await threadOf(bot, group);
    if (place === null) return;
    // A find's errand may have been done in part before: it is always looked for.
    await postOnce(bot.slack, bot.me.botId, { ...place, since: look.at }, content, { request_id: look.id, part }, 2);
  } catch (error) {
    if (!(error instanceof SlackRefused)) throw error;
    bot.log.warn({ group: group.id, code: error.code }, 'reply in the thread of an alert refused by Slack');
  }
};

/** Ends a look with a sentence, which the thread gets, too. */
export const failLook = async (bot: BotContext, group: Group, look: GroupLook, sentence: string): Promise<void> => {
  await say(bot, group, look, 'failure', sentenceContent(sentence));
  await endLook(bot, group, look, 'failed', sentence);
};

/**
 * Asks a worker to look at a process for a group, shown by a message of its own in the thread. It may do what needs nobody's yes, and
 * less where the policy allows less. Safe to repeat. Throws when Slack or the queue do not answer.
 */
export const askLook = async (
  bot: BotContext,
  group: Group,
  look: GroupLook,
  pid: number,
  attempt: number,
): Promise<void> => {
  const { me, queue, slack, policy } = bot;
  const place = await threadOf(bot, group);
  if (place === null) {
    await endLook(bot, group, look, 'left', 'Slack refused the thread of this alert, so nothing was looked at.');
    return;
  }
  const { id, host, playbook, at } = look;
  const allowed = await policy.allowed({ team: me.teamId, user: me.userId, channel: place.channel }, host);
  const allow = HARMLESS_BY_DEFAULT.filter((impact) => allowed.includes(impact));
  const asked = { id, host, pid, playbook, allow, requestedAt: at };
  const { workers } = await queue.status();
  const why = workers === 0 ? 'No worker is running now; the look starts when one does.' : 'Starting.';
  const about = group.storm === null ? '' : ` It is about “${group.title}”.`;
  let messageTs: string;
  try {
    const content = openingContent(asked, null, `${why}${about}`, bot.languages.ofSite);
    messageTs = await postOnce(slack, me.botId, { ...place, since: at }, content, showingMark(asked, 'look'), attempt);
  } catch (error) {
    if (!(error instanceof SlackRefused)) throw error;
    await endLook(
      bot,
      group,
      look,
      'left',
      `Slack refused to show the look (${error.code}), so nothing was looked at.`,
    );
    return;
  }
  const handTo = { errand: 'alert-answer', data: { group: group.id } };
  const origin = {
    kind: 'slack',
    team: me.teamId,
    ...place,
    // Nobody asked: what mentions the asker leaves it out for `alert`.
    user: me.userId,
    messageTs,
    via: 'alert',
    quiet: true,
    handTo,
  } as const;
  await queue.enqueue(Request.parse({ ...asked, origin }));
  await changeAndShow(bot, group.id, (kept) =>
    withLook(
      kept,
      id,
      kept.looks.some((each) => each.id === id && each.state === 'asked') ? { state: 'running', pid } : {},
    ),
  );
};

const FIGURES: Record<'top:cpu' | 'top:rss' | 'top:fds', (candidate: Candidate) => number> = {
  'top:cpu': ({ cpuPercent }) => cpuPercent,
  'top:rss': ({ rssKib }) => rssKib,
  'top:fds': ({ fds }) => fds ?? -1,
};

/** The process that a look is about, by the route's rule; null when a person has to choose. Pure. */
export const chosen = (found: Extract<Found, { kind: 'found' }>, choose: GroupLook['choose']): Candidate | null => {
  if (found.pick !== null) return found.pick;
  if (choose === 'list') return null;
  if (choose === 'likely') return found.likely;
  const figure = FIGURES[choose];
  return found.candidates.reduce<Candidate | null>(
    (best, each) => (best === null || figure(each) > figure(best) ? each : best),
    null,
  );
};

const listed = ({ candidates, total, selector, host }: Extract<Found, { kind: 'found' }>) => {
  const shown = candidates.slice(0, MAX_LISTED);
  const head = `${count(total, 'process', 'processes')} on ${host} ${total === 1 ? 'fits' : 'fit'} \`${selectorText(selector).replaceAll('`', '')}\`. Say \`diagnose PID\` here for one of them:`;
  const more = total - shown.length;
  return {
    text: fallback(head),
    blocks: [
      paragraph(spans(head)),
      bullets(
        shown.map(({ pid, command, cpuPercent, rssKib }) =>
          spans(`${pid}: ${code(command, 120)}, ${Math.round(cpuPercent)} % CPU, ${kib(rssKib)}`),
        ),
      ),
      ...(more > 0 ? [paragraph([plain(`and ${count(more, 'more process', 'more processes')}.`)])] : []),
    ],
  };
};

/** Goes on with a look whose process has been searched for. Safe to repeat. Throws when Slack or the queue do not answer. */
export const lookAtFound = async (
  bot: BotContext,
  group: Group,
  look: GroupLook,
  found: Found,
  attempt: number,
): Promise<void> => {
  if (found.kind === 'failure') return await failLook(bot, group, look, found.failure.sentence);
  const named = `\`${selectorText(look.selector).replaceAll('`', '')}\` on ${look.host}`;
  if (found.candidates.length === 0) {
    return await failLook(bot, group, look, `No process fits ${named}. ${found.near}`.trim());
  }
  const candidate = chosen(found, look.choose);
  if (candidate !== null) return await askLook(bot, group, look, candidate.pid, attempt);
  await say(bot, group, look, 'candidates', listed(found));
  await endLook(
    bot,
    group,
    look,
    'listed',
    `Several processes fit ${named}; they are listed in the thread to choose from.`,
  );
};
