import type { Answer } from '../../infra/queue/messages.ts';
import { clip, code } from '../../playbooks/reading/text.ts';
import { headline, type ReportPart, verdictOf } from '../../playbooks/report-parts.ts';
import type { BotContext } from '../context.ts';
import type { FollowUp } from '../follow-up.ts';
import { SlackRefused } from '../slack/errors.ts';
import { looksShown, postWhole, type ShownLook } from './last-look.shared.ts';

/** How a look ended, as far as it is known. */
const ending = (answer: Answer | null): string => {
  if (answer === null) return 'not finished, or kept no longer than a day';
  if (answer.outcome.kind === 'failure') return `failed: ${answer.outcome.failure.sentence}`;
  const { report } = answer.outcome;
  const { first } = verdictOf(report);
  const said = clip(headline(report).replaceAll('`', ''), MOST_HEADLINE);
  return `${said}${first === null ? '' : ` (\`${first.cause}\`)`}`;
};

const MOST_NAMES = 20;
const MOST_HEADLINE = 160;

/** Persons by name, not by mention, which would call them. */
const lookPart = ({ mark, at }: ShownLook, answer: Answer | null, names: ReadonlyMap<string, string>): ReportPart => {
  const request = answer?.request;
  const host = request?.host ?? mark.host;
  const pid = request?.pid ?? mark.pid;
  const playbook = request?.playbook ?? mark.playbook;
  const origin = request?.origin;
  const who = origin?.kind === 'slack' ? (names.get(origin.user) ?? origin.user) : null;
  const when = new Date(request?.requestedAt ?? at * 1_000).toISOString().replace('T', ' ').slice(0, 19);
  const what = [
    ...(pid === undefined ? [] : [`process ${pid}${host === undefined ? '' : ` on ${host}`}`]),
    ...(playbook === undefined ? [] : [`playbook \`${playbook}\``]),
  ];
  const by = who === null ? '' : `, asked by ${code(who, 80)}`;
  return {
    kind: 'item',
    text: `${when} UTC${by}${what.length === 0 ? '' : `, ${what.join(' ')}`}, look \`${mark.request_id}\`: ${ending(answer)}`,
  };
};

const namesOf = async (answers: readonly (Answer | null)[], { slack }: BotContext): Promise<Map<string, string>> => {
  const users = new Set(
    answers.flatMap((answer) => (answer?.request.origin.kind === 'slack' ? [answer.request.origin.user] : [])),
  );
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
    const answers = await Promise.all(looks.map(({ mark }) => bot.queue.answerTo(mark.request_id)));
    if (looks.length === 0) return 'There has been no look in this thread yet.';
    const names = await namesOf(answers, bot);
    const title = looks.length === 1 ? 'One look in this thread' : `${looks.length} looks in this thread`;
    const parts: ReportPart[] = [
      { kind: 'heading', text: title },
      ...looks.map((look, index) => lookPart(look, answers[index] ?? null, names)),
    ];
    await postWhole(said, bot, parts, title, 'history.txt');
    return null;
  },
};
