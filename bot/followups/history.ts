import type { Thread, ThreadLook } from '../../infra/history/read.ts';
import { HistoryUnavailable } from '../../infra/history/trouble.ts';
import type { Answer } from '../../infra/queue/messages.ts';
import { clip, code } from '../../playbooks/reading/text.ts';
import { headline, type ReportPart, verdictOf } from '../../playbooks/report-parts.ts';
import type { BotContext } from '../context.ts';
import type { FollowUp } from '../follow-up.ts';
import { SlackRefused } from '../slack/errors.ts';
import { shownLines } from '../thread/rich-text.ts';
import { looksShown, postWhole, type ShownLook } from './last-look.shared.ts';

/** How a look ended, as far as it is known. */
const ending = (answer: Answer | null, kept: ThreadLook | undefined, longer: string): string => {
  if (answer === null) {
    if (kept === undefined) return `not finished, or kept no longer${longer}`;
    const said = clip(shownLines(kept.headline).replaceAll('\n', ' '), MOST_HEADLINE);
    return `${kept.state === 'failed' ? 'failed: ' : ''}${said}${kept.cause === null ? '' : ` (\`${kept.cause}\`)`}`;
  }
  if (answer.outcome.kind === 'failure') return `failed: ${answer.outcome.failure.sentence}`;
  const { report } = answer.outcome;
  const { first } = verdictOf(report);
  const said = clip(headline(report).replaceAll('`', ''), MOST_HEADLINE);
  return `${said}${first === null ? '' : ` (\`${first.cause}\`)`}`;
};

const MOST_NAMES = 20;
const MOST_HEADLINE = 160;

/** What is known of a look: its answer for a day, what the history has of it for longer. */
interface Known {
  readonly answer: Answer | null;
  readonly kept: ThreadLook | undefined;
}

const userOf = ({ answer, kept }: Known): string | null => {
  const origin = answer?.request.origin;
  return origin?.kind === 'slack' ? origin.user : (kept?.user ?? null);
};

/** Persons by name, not by mention, which would call them. */
const lookPart = (
  { mark, at }: ShownLook,
  { answer, kept }: Known,
  names: ReadonlyMap<string, string>,
  longer: string,
): ReportPart => {
  const request = answer?.request;
  const host = request?.host ?? mark.host;
  const pid = request?.pid ?? mark.pid;
  const playbook = request?.playbook ?? mark.playbook;
  const user = userOf({ answer, kept });
  const who = user === null ? null : (names.get(user) ?? user);
  const when = new Date(request?.requestedAt ?? kept?.at ?? at * 1_000).toISOString().replace('T', ' ').slice(0, 19);
  const what = [
    ...(pid === undefined ? [] : [`process ${pid}${host === undefined ? '' : ` on ${host}`}`]),
    ...(playbook === undefined ? [] : [`playbook \`${playbook}\``]),
  ];
  const by = who === null ? '' : `, asked by ${code(who, 80)}`;
  return {
    kind: 'item',
    text: `${when} UTC${by}${what.length === 0 ? '' : `, ${what.join(' ')}`}, look \`${mark.request_id}\`: ${ending(answer, kept, longer)}`,
  };
};

/** The looks of this thread that the history has; null when it does not answer or there is none. */
const keptOf = async (
  thread: Thread,
  { history, log }: BotContext,
): Promise<ReadonlyMap<string, ThreadLook> | null> => {
  try {
    return (await history?.ofThread(thread)) ?? null;
  } catch (error) {
    if (!(error instanceof HistoryUnavailable)) throw error;
    log.warn({ error: error.message }, 'the history cannot be read for a thread');
    return null;
  }
};

const namesOf = async (looks: readonly Known[], { slack }: BotContext): Promise<Map<string, string>> => {
  const users = new Set(looks.flatMap((look) => userOf(look) ?? []));
  const names = new Map<string, string>();
  for (const user of [...users].slice(0, MOST_NAMES)) {
    try {
      const { real_name: real, name } = await slack.person(user);
      names.set(user, real ?? name ?? user);
    } catch (error) {
      // Somebody who has left, or a scope that is missing: the id says it too.
      if (!(error instanceof SlackRefused)) throw error;
    }
  }
  return names;
};

/** The looks of this thread, oldest first. */
export const history: FollowUp = {
  verb: 'history',
  usage: '',
  summary: 'the looks of this thread: when, who asked, what was found, and their ids',
  run: async (said, bot) => {
    if (said.thread === null) return 'Say `history` in a thread that I opened.';
    const looks = await looksShown(said, bot);
    if (looks.length === 0) return 'There has been no look in this thread yet.';
    const answers = await Promise.all(looks.map(({ mark }) => bot.queue.answerTo(mark.request_id)));
    const { channel } = said.mention;
    // Asked for what is kept nowhere else.
    const kept = answers.includes(null) ? await keptOf({ channel, threadTs: said.thread.ts }, bot) : null;
    const longer = bot.history === null ? ' than a day' : kept === null ? ' (the history does not answer now)' : '';
    const known = looks.map(({ mark }, index) => ({
      answer: answers[index] ?? null,
      kept: kept?.get(mark.request_id),
    }));
    const names = await namesOf(known, bot);
    const title = looks.length === 1 ? 'One look in this thread' : `${looks.length} looks in this thread`;
    const parts: ReportPart[] = [
      { kind: 'heading', text: title },
      ...looks.map((look, index) => lookPart(look, known[index] ?? { answer: null, kept: undefined }, names, longer)),
    ];
    await postWhole(said, bot, parts, title, 'history.txt');
    return null;
  },
};
