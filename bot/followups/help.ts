import { formatImpacts, type Impact, impactsNotAllowed } from '../../playbooks/model/index.ts';
import { list } from '../../playbooks/reading/text.ts';
import type { ReportPart } from '../../playbooks/report-parts.ts';
import type { BotContext } from '../context.ts';
import type { FollowUp, Said } from '../follow-up.ts';
import { nearest, quoted } from '../words.ts';
import { postWhole } from './last-look.shared.ts';

const written = ({ verb, usage }: FollowUp): string => `\`${`${verb} ${usage}`.trim()}\``;

/** The impacts that a verb's playbook may have and that this person may not cause without somebody's yes. */
const needsYes = ({ playbook }: FollowUp, bot: BotContext, allowed: readonly Impact[]): Impact[] => {
  const impacts = bot.playbooks.find(({ id }) => id === playbook)?.impacts ?? [];
  return playbook === undefined ? [] : impactsNotAllowed(impacts, allowed);
};

/** Whether a verb can be of use here: a tool whose playbook this site does not have is none. */
const exists = ({ playbook }: FollowUp, bot: BotContext): boolean =>
  playbook === undefined || bot.playbooks.some(({ id }) => id === playbook);

const impactWords = (impacts: readonly Impact[]): string =>
  list(impacts.map((impact) => `\`${formatImpacts([impact])}\``));

/** What a person may do with a verb here: at once, after somebody's yes, or not at all. */
type May = 'now' | 'asked' | 'not';

const mayOf = async (followUp: FollowUp, said: Said, bot: BotContext, allowed: readonly Impact[]): Promise<May> => {
  const impacts = needsYes(followUp, bot, allowed);
  if (impacts.length === 0) return 'now';
  const { mention, thread } = said;
  const question = { host: thread?.mark.host ?? '', impacts, requester: mention.user };
  return (await bot.policy.approvers(mention.channel, question)) === null ? 'not' : 'asked';
};

const MAY_WORDS: Readonly<Record<May, string>> = {
  now: '',
  asked: ' Somebody else has to say yes first; ask, and they are asked in this thread.',
  not: ' The policy lets nobody do that here.',
};

/** One verb, whole. */
const oneVerb = async (
  followUp: FollowUp,
  said: Said,
  bot: BotContext,
  allowed: readonly Impact[],
): Promise<string> => {
  const impacts = needsYes(followUp, bot, allowed);
  const playbook = bot.playbooks.find(({ id }) => id === followUp.playbook);
  const runs = playbook === undefined ? '' : ` It runs the playbook \`${playbook.id}\`: ${playbook.description}`;
  const felt = impacts.length === 0 ? '' : ` It has the impact ${impactWords(impacts)}.`;
  return `${written(followUp)}: ${followUp.summary}.${runs}${felt}${MAY_WORDS[await mayOf(followUp, said, bot, allowed)]}`;
};

const FIRST = 'Mention me in this thread with one of these, or begin a reply with it.';

/** All verbs: those that this person may use now, and apart those that need a yes, or that nobody may use here. */
const allVerbs = async (said: Said, bot: BotContext, allowed: readonly Impact[]): Promise<ReportPart[]> => {
  const parts: Record<May, ReportPart[]> = { now: [], asked: [], not: [] };
  for (const each of [...bot.followUps.values()].filter((verb) => exists(verb, bot))) {
    const impacts = needsYes(each, bot, allowed);
    const felt = impacts.length === 0 ? '' : ` (${impactWords(impacts)})`;
    const text = `${written(each)}: ${each.summary}${felt}`;
    parts[await mayOf(each, said, bot, allowed)].push({ kind: 'item', text });
  }
  const section = (title: string, items: readonly ReportPart[]): ReportPart[] =>
    items.length === 0 ? [] : [{ kind: 'heading', text: title }, ...items];
  return [
    {
      kind: 'text',
      text: `${FIRST} \`help VERB\` tells more of one. Or mention me with a question in your own words.`,
    },
    ...parts.now,
    ...section('Needs approval', parts.asked),
    ...section('Not allowed here', parts.not),
  ];
};

const answer = async (said: Said, bot: BotContext): Promise<string | null> => {
  const { thread, mention, words } = said;
  if (thread === null) {
    return 'Start with `/diagnose HOST PID` in the channel, or `/diagnose help`. In the thread that I open you can go on with me.';
  }
  const allowed = await bot.policy.allowed(mention, thread.mark.host ?? '');
  const asked = words[0]?.toLowerCase();
  if (asked === undefined) {
    await postWhole(said, bot, await allVerbs(said, bot, allowed), FIRST, 'help.txt');
    return null;
  }
  const followUp = bot.followUps.get(asked);
  if (followUp !== undefined) return await oneVerb(followUp, said, bot, allowed);
  const near = nearest(asked, [...bot.followUps.keys()]);
  const meant = near.length === 0 ? 'Say' : `Did you mean ${near.map((name) => `\`${name}\``).join(' or ')}? Say`;
  return `I do not know ${quoted(asked)}. ${meant} \`help\` for all that I know.`;
};

/** What can be asked in a thread by whoever asks, from the thread commands that there are. */
export const help: FollowUp = {
  verb: 'help',
  usage: '[VERB]',
  summary: 'what can be asked here, or one of these in full',
  fits: (words) => words.length === 0,
  run: answer,
};
