import { type Impact, type ProbeOptions, type Report, Request } from '../../playbooks/model/index.ts';
import { askForApproval, lastSeenOf } from '../approvals/ask.ts';
import { gate } from '../approvals/gate.ts';
import { readLook } from '../commands/look.ts';
import type { BotContext } from '../context.ts';
import type { FollowUp, Said } from '../follow-up.ts';
import { requestIdOf } from '../request-id.ts';
import { seek, type Wanted } from '../seek.ts';
import { openingContent, showingMark } from '../thread/first-message.ts';
import { postOnce } from '../thread/post-once.ts';
import { knownOf } from './known.shared.ts';
import { lastLook } from './last-look.shared.ts';

/** A thread command that runs one playbook on the thread's process, or on another. */
export interface Tool {
  /** The verb; its file's name. */
  readonly verb: string;
  readonly playbook: string;
  readonly usage: string;
  readonly summary: string;
  /** As in FollowUp. */
  readonly takes?: FollowUp['takes'];
  readonly fits?: FollowUp['fits'];
  /** Takes those words that are options of a probe out of what was said; a sentence when they make no sense. */
  readonly options?: (words: readonly string[]) => Chosen | string;
}

/** Options of probes, and the words that are left for the look. */
export interface Chosen {
  readonly words: readonly string[];
  readonly options?: ProbeOptions;
}

const MOST_PATTERN = 200;

/** What was said as a text to look for, for a probe with the option `pattern`. */
export const asPattern =
  (probe: string) =>
  (words: readonly string[]): Chosen | string => {
    const pattern = words.join(' ');
    if (pattern.length > MOST_PATTERN) return `I can look for a text of at most ${MOST_PATTERN} characters.`;
    return pattern === '' ? { words: [] } : { words: [], options: { [probe]: { pattern } } };
  };

/** Where `on HOST PID` begins; -1 without it. A text to look for may have the word `on` in it, so there it ends the words. */
const onIn = (words: readonly string[], text: boolean): number => {
  if (!text) return words.findIndex((word) => word.toLowerCase() === 'on');
  const at = words.length - 3;
  return words[at]?.toLowerCase() === 'on' && /^\d+$|:/.test(words[at + 2] ?? '') ? at : -1;
};

/** The words of a look: `HOST PID PLAYBOOK …`, with what was not said taken from the thread. */
const lookWords = ({ words, thread }: Said, { playbook, options }: Tool): Chosen | string => {
  const on = onIn(words, options !== undefined);
  const said = on < 0 ? words : words.slice(0, on);
  const chosen = options?.(said) ?? { words: said };
  if (typeof chosen === 'string') return chosen;
  const rest = chosen.words;
  const { host, pid } = thread?.mark ?? {};
  if (on >= 0 && words.length < on + 3)
    return 'Which process? After `on` come a host and a pid: `on HOST PID` or, for example, `on HOST port:8080`.';
  if (on >= 0) return { ...chosen, words: [...words.slice(on + 1, on + 3), playbook, ...rest, ...words.slice(on + 3)] };
  if (host === undefined || pid === undefined) {
    return 'Which process? Say it in a thread that I opened, or name one with `on HOST PID` at the end.';
  }
  return { ...chosen, words: [host, String(pid), playbook, ...rest] };
};

const isAbout = ({ target }: Report, { host, pid }: { readonly host: string; readonly pid: number }): boolean =>
  target.host === host && target.pid === pid;

/** How a process was found that nobody typed the id of, or why a look is made that nobody asked for by name. */
export interface FoundBy {
  readonly startTime?: string;
  readonly selector?: string;
  /** A sentence for the message that shows the look. */
  readonly why: string;
  /** The errand that its answer is handed to. */
  readonly handTo?: { readonly errand: string; readonly data: Record<string, unknown> };
  /** Nothing beyond these impacts, whatever the asker may have; and nobody is asked for more. */
  readonly atMost?: readonly Impact[];
}

/** Has the workers look for the process; the look goes on from there. */
const askForSought = async (
  wanted: Wanted,
  { mention, thread }: Said,
  options: ProbeOptions | undefined,
  bot: BotContext,
): Promise<string | null> => {
  const by = { kind: 'thread', id: requestIdOf(mention.team, mention.id), mention, thread, options } as const;
  await seek({ wanted, by }, bot);
  const { workers } = await bot.queue.status();
  return workers === 0 ? 'No worker is running now; the process is looked for when one does.' : null;
};

/**
 * Asks for one more look, shown by a message of its own in the thread, so that the first one keeps what it says; or for an approval,
 * where the policy wants one. Returns a sentence when it cannot be asked for, else null. Safe to repeat.
 */
export const askForLook = async (
  said: Said,
  bot: BotContext,
  words: readonly string[],
  options?: ProbeOptions,
  found?: FoundBy,
): Promise<string | null> => {
  const understood = readLook(words, bot);
  if (typeof understood === 'string') return understood;
  if ('selector' in understood) return await askForSought(understood, said, options, bot);
  const { mention, attempt } = said;
  const { slack, me, queue } = bot;
  const weighed = await gate(mention, understood, bot);
  if (weighed.way === 'closed') return weighed.sentence;
  const id = requestIdOf(mention.team, mention.id);
  const { channel, team, user } = mention;
  const threadTs = mention.threadTs ?? mention.ts;
  const { why: how, handTo, atMost, ...process } = found ?? {};
  if (weighed.way === 'ask' && atMost !== undefined) return 'That needs an approval.';
  const asked = {
    id,
    ...understood,
    ...(await knownOf(said.thread, understood, bot)),
    ...process,
    ...(options && { options }),
    allow: weighed.allow.filter((impact) => atMost?.includes(impact) ?? true),
    requestedAt: mention.at,
  };
  if (weighed.way === 'ask') {
    const last = await lastLook(said, bot, (report) => isAbout(report, understood));
    const lastSeen = last === null ? null : lastSeenOf(last.report);
    const way = { first: false, lastSeen, ...(handTo && { handTo }) };
    const wanted = { asked, needs: [...weighed.needs], team, channel, user, threadTs, ...way };
    await askForApproval(wanted, weighed.approvers, attempt, bot);
    return null;
  }
  const { workers } = await queue.status();
  const why = workers === 0 ? 'No worker is running now; the look starts when one does.' : 'Starting.';
  const place = { channel, threadTs, since: mention.at };
  const mark = showingMark(asked, 'look');
  const messageTs = await postOnce(
    slack,
    me.botId,
    place,
    openingContent(
      asked,
      user,
      how === undefined ? why : `${how} ${why}`,
      await bot.languages.ofThread(channel, threadTs, user),
    ),
    mark,
    attempt,
  );
  const way = { via: 'follow-up', ...(handTo && { handTo }) } as const;
  const origin = { kind: 'slack', team, channel, user, threadTs, messageTs, ...way } as const;
  await queue.enqueue(Request.parse({ ...asked, origin }));
  return null;
};

/** A thread command for one tool. */
export const toolFollowUp = (tool: Tool): FollowUp => ({
  verb: tool.verb,
  usage: tool.usage,
  summary: tool.summary,
  playbook: tool.playbook,
  ...(tool.fits && { fits: tool.fits }),
  ...(tool.takes && { takes: tool.takes }),
  run: async (said, bot) => {
    const chosen = lookWords(said, tool);
    return typeof chosen === 'string' ? chosen : await askForLook(said, bot, chosen.words, chosen.options);
  },
});
