import type { Answer } from '../../infra/queue/messages.ts';
import type { Report } from '../../playbooks/model/index.ts';
import type { ReportPart } from '../../playbooks/report-parts.ts';
import { partsText } from '../../playbooks/report-text.ts';
import type { Language } from '../../playbooks/words/index.ts';
import type { BotContext } from '../context.ts';
import type { FollowUp, Said } from '../follow-up.ts';
import type { Content, Mark } from '../slack/shapes.ts';
import { findOurs, markOf, once, postOnce } from '../thread/post-once.ts';
import { renderParts } from '../thread/render.ts';
import { escaped } from '../thread/rich-text.ts';

/** The newest look of a thread whose answer is still kept. */
export interface LastLook {
  readonly answer: Answer;
  readonly report: Report;
}

const NONE = 'I have no finished look of this thread any more: they are kept for a day. Say `again` for a new one.';

/** A look that a thread shows: the mark of the message that shows it, and when that was posted, seconds since 1970. */
export interface ShownLook {
  readonly mark: Mark;
  readonly at: number;
}

/**
 * The parts of a look that tell of it, by how well they tell when it was. The first message of a thread shows the newest
 * look that was asked for with `again`, so that it says nothing of when, and an earlier one is known by its report only.
 */
const PARTS: readonly string[] = ['look', 'again', 'report-1', 'failure', 'first'];

/** The looks that a thread's messages show, oldest first, each once. */
export const looksShown = async ({ mention, thread }: Said, { slack, me }: BotContext): Promise<ShownLook[]> => {
  const looks = new Map<string, ShownLook>();
  if (thread === null) return [];
  await slack.scan({ channel: mention.channel, threadTs: thread.ts }, (message) => {
    const mark = markOf(message, me.botId);
    // The first message of an alert's thread shows the alert.
    if (mark === null || mark.alert === true || !PARTS.includes(mark.part)) return false;
    const known = looks.get(mark.request_id);
    if (known === undefined || PARTS.indexOf(mark.part) < PARTS.indexOf(known.mark.part)) {
      // Which process it was is told by some of them only.
      looks.set(mark.request_id, { mark: { ...known?.mark, ...mark }, at: Number(message.ts) });
    }
    return false;
  });
  return [...looks.values()].sort((one, other) => one.at - other.at);
};

/** The ids of the looks that a thread's messages show, newest first. */
export const looksIn = async (said: Said, bot: BotContext): Promise<string[]> =>
  (await looksShown(said, bot)).map(({ mark }) => mark.request_id).reverse();

/** The newest look of the thread that `wanted` accepts; null when none is kept. Throws QueueUnavailable. */
export const lastLook = async (
  said: Said,
  bot: BotContext,
  wanted: (report: Report) => boolean = () => true,
): Promise<LastLook | null> => {
  for (const id of await looksIn(said, bot)) {
    const answer = await bot.queue.answerTo(id);
    if (answer?.outcome.kind === 'report' && wanted(answer.outcome.report)) {
      return { answer, report: answer.outcome.report };
    }
  }
  return null;
};

/** Posts one more message about the thread's last look, once. */
export const postAbout = async ({ mention, attempt }: Said, bot: BotContext, content: Content): Promise<void> => {
  const place = { channel: mention.channel, threadTs: mention.threadTs ?? mention.ts, since: mention.at };
  await postOnce(bot.slack, bot.me.botId, place, content, { request_id: mention.id, part: 'reply' }, attempt);
};

/** Attaches a file to the thread, once. `name` is told in the message, so that it has to differ between what is said. */
export const attachAbout = async (
  { mention, attempt }: Said,
  bot: BotContext,
  name: string,
  content: Uint8Array,
): Promise<void> => {
  const place = { channel: mention.channel, threadTs: mention.threadTs ?? mention.ts, since: mention.at };
  const comment = `${escaped(name)}, ${escaped(mention.id)}.`;
  await once(
    attempt,
    () => findOurs(bot.slack, bot.me.botId, place, (message) => (message.text ?? '').includes(comment)),
    async () => {
      const id = await bot.slack.upload(name, content);
      await bot.slack.share(place, [{ id, title: name }], comment);
      return null;
    },
  );
};

/** Posts parts as one message, once; what does not fit into it follows as a file that has the whole. */
export const postWhole = async (
  said: Said,
  bot: BotContext,
  parts: readonly ReportPart[],
  title: string,
  file: string,
  language: Language = 'en',
): Promise<void> => {
  const { content, cut } = renderParts(parts, title, file, language);
  await postAbout(said, bot, content);
  if (cut) await attachAbout(said, bot, file, new TextEncoder().encode(partsText(parts)));
};

/** A thread command that answers from the thread's last look, without looking at the process. */
export const aboutLastLook = (
  unit: Pick<FollowUp, 'verb' | 'usage' | 'summary'>,
  answer: (look: LastLook, said: Said, bot: BotContext) => Promise<string | null>,
): FollowUp => ({
  ...unit,
  run: async (said, bot) => {
    if (said.thread === null) return `Say \`${unit.verb}\` in a thread that I opened.`;
    const look = await lastLook(said, bot);
    return look === null ? NONE : await answer(look, said, bot);
  },
});
