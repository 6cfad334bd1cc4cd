import { NoEvidence } from '../infra/evidence/far-store.ts';
import type { Delivery } from '../infra/queue/bot-side.ts';
import type { Mention } from '../infra/queue/messages.ts';
import type { BotContext } from './context.ts';
import type { Said } from './follow-up.ts';
import { askQuestion } from './questions/ask.ts';
import { isQuestion } from './questions/understood.ts';
import { SlackRefused } from './slack/errors.ts';
import { sentenceContent } from './thread/first-message.ts';
import { markOf, postOnce } from './thread/post-once.ts';
import { nearest, quoted, wordsOf } from './words.ts';

/** The thread that the mention is in, if the bot opened it. */
const threadOf = async (mention: Mention, { slack, me }: BotContext): Promise<Said['thread']> => {
  const { channel, threadTs } = mention;
  if (threadTs === undefined) return null;
  let thread: Said['thread'] = null;
  await slack.scan({ channel, threadTs }, (message) => {
    const mark = message.ts === threadTs ? markOf(message, me.botId) : null;
    if (mark !== null && mark.part === 'first') thread = { ts: threadTs, mark };
    // The first message of a thread comes first.
    return true;
  });
  return thread;
};

const answerTo = async (said: Said, bot: BotContext): Promise<string | null> => {
  if (said.thread !== null && isQuestion(said.words, bot.followUps)) return await askQuestion(said, bot);
  const verb = said.words[0]?.toLowerCase() ?? 'help';
  const followUp = bot.followUps.get(verb);
  if (followUp !== undefined) {
    try {
      return await followUp.run({ ...said, words: said.words.slice(1) }, bot);
    } catch (error) {
      if (error instanceof NoEvidence) return error.message;
      throw error;
    }
  }
  const near = nearest(verb, [...bot.followUps.keys()]);
  const meant = near.length === 0 ? 'Say' : `Did you mean ${near.map((name) => `\`${name}\``).join(' or ')}? Say`;
  return `I do not know ${quoted(verb)}. ${meant} \`help\` to me for what I know.`;
};

/**
 * Whether a reply in a thread of the bot's, which does not mention it, is meant for it: its first word is a verb, alone
 * where the verb takes nothing more, for people also talk to each other there ("why does it do that?"). A reply that mentions
 * the bot is not, for it comes as a mention.
 */
export const isThreadCommand = (text: string, { followUps, me }: Pick<BotContext, 'followUps' | 'me'>): boolean => {
  if (text.includes(`<@${me.userId}>`)) return false;
  const [verb = '', ...rest] = wordsOf(text);
  const followUp = followUps.get(verb.toLowerCase());
  if (followUp === undefined) return false;
  return followUp.fits?.(rest) ?? (rest.length === 0 || followUp.usage !== '');
};

/**
 * Does what somebody said to the bot, and answers in the thread. Safe to repeat. Throws to be called again: when Slack
 * or the queue do not answer.
 */
export const handleMention = async (mention: Mention, { attempt }: Delivery, bot: BotContext): Promise<void> => {
  const { slack, me, log } = bot;
  const { channel, user } = mention;
  const threadTs = mention.threadTs ?? mention.ts;
  try {
    const refusal = await bot.access.refusal(mention);
    if (refusal !== null) {
      log.info({ user, team: mention.team, channel }, 'mention refused');
      await slack.ephemeral({ channel, threadTs, user }, refusal);
      return;
    }
    const words = wordsOf(mention.text).filter((word) => word !== `<@${me.userId}>`);
    const said = { mention, words, thread: await threadOf(mention, bot), attempt };
    const answer = await answerTo(said, bot);
    if (answer === null) return;
    const place = { channel, threadTs, since: mention.at };
    await bot.languages.localeOfThread(channel, threadTs, user);
    const content = sentenceContent(answer);
    await postOnce(slack, me.botId, place, content, { request_id: mention.id, part: 'reply' }, attempt);
  } catch (error) {
    if (!(error instanceof SlackRefused)) throw error;
    log.warn({ channel, code: error.code, method: error.method }, 'mention could not be answered');
  }
};
