import { MOST_QUESTION } from '../../playbooks/model/index.ts';
import type { BotContext } from '../context.ts';
import type { Said } from '../follow-up.ts';
import { looksShown, type ShownLook } from '../followups/last-look.shared.ts';
import { postOnce } from '../thread/post-once.ts';
import { type Asking, putQuestion } from './put.ts';
import { lookingContent } from './show.ts';
import { harmlessSteps, offeredSteps } from './steps.ts';

/** The part of the message that shows what becomes of a question. */
export const QUESTION_PART = 'question';
const MOST_LOOKS = 12;

/** The process that the thread is about, and its looks, newest first. */
const aboutProcess = (
  thread: NonNullable<Said['thread']>,
  shown: readonly ShownLook[],
): Pick<Asking, 'process' | 'looks'> | null => {
  const newest = [thread, ...shown.toReversed()].find(({ mark }) => mark.host !== undefined && mark.pid !== undefined);
  const { host, pid } = newest?.mark ?? {};
  if (host === undefined || pid === undefined) return null;
  const looks = shown.map(({ mark }) => mark.request_id).reverse();
  return { process: { host, pid }, looks: looks.slice(0, MOST_LOOKS) };
};

/** The start time of the process in the newest look that is kept of it. Throws QueueUnavailable. */
const startTimeOf = async ({ process, looks }: Pick<Asking, 'process' | 'looks'>, { queue }: BotContext) => {
  for (const id of looks) {
    const answer = await queue.answerTo(id);
    if (answer?.outcome.kind !== 'report') continue;
    const { host, pid, startTime } = answer.outcome.report.target;
    if (host === process.host && pid === process.pid) return startTime;
  }
  return undefined;
};

/**
 * Takes a question in somebody's own words: shows at once that it is looked for, and hands it to the workers. Returns a sentence
 * when it cannot be asked. Safe to repeat. Throws SlackRefused, SlackAway and QueueUnavailable.
 */
export const askQuestion = async (said: Said, bot: BotContext): Promise<string | null> => {
  const { mention, thread, words, attempt } = said;
  const text = words.join(' ');
  if (thread === null) return 'Ask that in a thread that I opened.';
  if (text.length > MOST_QUESTION) return `Ask it in at most ${MOST_QUESTION} characters.`;
  const about = aboutProcess(thread, await looksShown(said, bot));
  if (about === null) return 'I cannot see in this thread which process was looked at.';
  const { channel, user } = mention;
  const language = await bot.languages.ofThread(channel, thread.ts, user);
  const { workers } = await bot.queue.status();
  const place = { channel, threadTs: thread.ts, since: mention.at };
  const mark = { request_id: mention.id, part: QUESTION_PART };
  const content = lookingContent({ text, made: [] }, workers === 0 ? 'no-worker' : 'looking', language);
  const messageTs = await postOnce(bot.slack, bot.me.botId, place, content, mark, attempt);
  const startTime = await startTimeOf(about, bot);
  const asking: Asking = {
    mention,
    thread,
    text,
    messageTs,
    round: 1,
    ...about,
    ...(startTime === undefined ? {} : { startTime }),
    spent: { steps: 0, input: 0, output: 0, since: mention.at },
    made: [],
  };
  const offers = await offeredSteps(mention, about.process.host, bot);
  await putQuestion(asking, { may: harmlessSteps(bot), offers }, bot);
  return null;
};
