import { formatImpacts, impactsNotAllowed, Request } from '../../playbooks/model/index.ts';
import { readLook } from '../commands/look.ts';
import type { BotContext } from '../context.ts';
import type { FollowUp, Said } from '../follow-up.ts';
import { requestIdOf } from '../request-id.ts';
import { openingContent, showingMark } from '../thread/first-message.ts';
import { postOnce } from '../thread/post-once.ts';

/** A thread command that runs one playbook on the thread's process, or on another. */
export interface Tool {
  /** The verb; its file's name. */
  readonly verb: string;
  readonly playbook: string;
  readonly usage: string;
  readonly summary: string;
}

/** The words of a look: `HOST PID PLAYBOOK …`, with what was not said taken from the thread. */
const lookWords = ({ words, thread }: Said, playbook: string): readonly string[] | string => {
  const on = words.findIndex((word) => word.toLowerCase() === 'on');
  const rest = on < 0 ? words : words.slice(0, on);
  const { host, pid } = thread?.mark ?? {};
  if (on >= 0 && words.length < on + 3) return 'Which process? After `on` comes a host and a pid: `on HOST PID`.';
  if (on >= 0) return [...words.slice(on + 1, on + 3), playbook, ...rest, ...words.slice(on + 3)];
  if (host === undefined || pid === undefined) {
    return 'Which process? Say it in a thread that I opened, or name one with `on HOST PID` at the end.';
  }
  return [host, String(pid), playbook, ...rest];
};

/**
 * Asks for one more look, shown by a message of its own in the thread, so that the first one keeps what it says. Returns a
 * sentence when it cannot be asked for, else null. Safe to repeat.
 */
export const askForLook = async (said: Said, bot: BotContext, words: readonly string[]): Promise<string | null> => {
  const understood = readLook(words, bot);
  if (typeof understood === 'string') return understood;
  const { mention, attempt } = said;
  const { slack, me, queue } = bot;
  const allow = [...(await bot.policy.allowed(mention, understood.host))];
  const forbidden = impactsNotAllowed(bot.playbooks.find(({ id }) => id === understood.playbook)?.impacts ?? [], allow);
  if (forbidden.length > 0) {
    return `I may not do that here: \`${understood.playbook}\` has the impact \`${formatImpacts(forbidden)}\`, and the policy of this bot allows \`${formatImpacts(allow)}\`. Run it by hand, or have the policy changed.`;
  }
  const id = requestIdOf(mention.team, mention.id);
  const { channel, team, user } = mention;
  const threadTs = mention.threadTs ?? mention.ts;
  const asked = { id, ...understood, allow, requestedAt: mention.at };
  const { workers } = await queue.status();
  const why = workers === 0 ? 'No worker is running now; the look starts when one does.' : 'Starting.';
  const place = { channel, threadTs, since: mention.at };
  const mark = showingMark(asked, 'look');
  const messageTs = await postOnce(slack, me.botId, place, openingContent(asked, user, why), mark, attempt);
  const origin = { kind: 'slack', team, channel, user, threadTs, messageTs, via: 'follow-up' } as const;
  await queue.enqueue(Request.parse({ ...asked, origin }));
  return null;
};

/** A thread command for one tool. */
export const toolFollowUp = ({ verb, playbook, usage, summary }: Tool): FollowUp => ({
  verb,
  usage,
  summary,
  run: async (said, bot) => {
    const words = lookWords(said, playbook);
    return typeof words === 'string' ? words : await askForLook(said, bot, words);
  },
});
