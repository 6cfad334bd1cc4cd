import type { PlainTextOption } from '@slack/types';
import { type Candidate, type Found, selectorText } from '../../playbooks/model/index.ts';
import { shortId } from '../../playbooks/reading/container-keeper.ts';
import { clip, code, duration, kib, list, visible } from '../../playbooks/reading/text.ts';
import { pickList } from '../buttons.ts';
import type { BotContext } from '../context.ts';
import { type Chosen, chosenFrom, type Seeking } from '../seek.ts';
import type { Content } from '../slack/shapes.ts';
import { sentenceContent } from './first-message.ts';
import { fallback, note, paragraph, preformatted, spans } from './rich-text.ts';

type Several = Extract<Found, { kind: 'found' }>;

/** As many as a person reads. Slack takes 100 options. */
const MOST = 20;
/** Slack's limit for the text and the description of an option. */
const MOST_TEXT = 75;
const REMEMBER_SECONDS = 24 * 3600;
/** A list older than that shows processes that may long have gone. */
const LIST_SECONDS = 30 * 60;

const figures = ({ cpuPercent, rssKib, ageSeconds }: Candidate): string =>
  `${cpuPercent} % CPU, ${kib(rssKib)}, ${duration(ageSeconds)} old`;

const what = ({ role, user, unit, container, containerName, pod, pidInside, ports }: Candidate): string =>
  [
    role ?? '',
    user,
    unit ?? '',
    pod !== undefined
      ? `pod ${pod}`
      : container === null
        ? ''
        : `container ${containerName ?? clip(shortId(container), 40)}`,
    pidInside === undefined ? '' : `${pidInside} inside`,
    ports.length === 0 ? '' : `port ${list(ports.slice(0, 3).map(String))}`,
  ]
    .filter((word) => word !== '')
    .join(', ');

const plainText = (text: string) =>
  ({ type: 'plain_text', text: clip(visible(text), MOST_TEXT), emoji: false }) as const;

const option = (candidate: Candidate): PlainTextOption => ({
  value: `${candidate.pid}:${candidate.startTime}`,
  text: plainText(
    `${candidate.pid}${candidate.role === undefined ? '' : ` (${candidate.role})`}: ${figures(candidate)}`,
  ),
  description: plainText(candidate.command),
});

const row = (candidate: Candidate): string => {
  const { pid, cpuPercent, rssKib, ageSeconds, command } = candidate;
  const cells = [
    String(pid).padStart(7),
    `${cpuPercent} %`.padStart(7),
    kib(rssKib).padStart(8),
    duration(ageSeconds).padStart(12),
  ];
  return `${cells.join('  ')}  ${visible(clip(what(candidate), 60))}\n         ${visible(clip(command, 80))}`;
};

/** The heads of the columns. */
const HEADS = ['pid'.padStart(7), 'CPU'.padStart(7), 'memory'.padStart(8), 'age'.padStart(12)].join('  ');

/** The list to pick a process from. Its ids are made anew each time. Throws QueueUnavailable. */
const listContent = async (seeking: Seeking, found: Several, bot: BotContext): Promise<Content> => {
  const { wanted, by } = seeking;
  const shown = found.candidates.slice(0, MOST);
  const selector = code(selectorText(wanted.selector), 220);
  const rest = found.total - shown.length;
  const question = `${found.total} processes on \`${wanted.host}\` are meant by ${selector}. Which one?`;
  const offered = shown.map(
    (candidate): Chosen => chosenFrom(candidate, `picked by a person, of ${found.total} that match.`),
  );
  const data = { ...seeking, offered };
  const user = by.kind === 'command' ? by.user : by.mention.user;
  // A list that Slack showed and did not acknowledge is shown once more: of both one counts.
  const options = { only: [user], seconds: LIST_SECONDS, group: `pick-${by.id}` };
  const picking = await pickList(
    bot,
    { action: 'pick', label: 'the list', data },
    'Pick a process',
    shown.map(option),
    options,
  );
  const more = rest <= 0 ? '' : `${rest} more are not shown: name yours by its process id or more narrowly. `;
  const unseen = found.partly.length === 0 ? '' : `Not all could be seen: ${list(found.partly)}. `;
  return {
    text: fallback(question),
    blocks: [
      paragraph(spans(question)),
      ...pages([HEADS, ...shown.map(row)]).map(preformatted),
      picking,
      note(`${more}${unseen}CPU is percent of one CPU, measured just now. Only you see this list.`),
    ],
  };
};

/** Rows in boxes that Slack takes. */
const pages = (rows: readonly string[]): string[] => {
  const all: string[] = [];
  for (const each of rows) {
    const last = all.at(-1);
    if (last !== undefined && last.length + each.length < 2_500) all[all.length - 1] = `${last}\n${each}`;
    else all.push(each);
  }
  return all;
};

/** Shows something to the asker alone: through the command's own address while it works, else in channel or thread. */
const showAsker = async ({ by }: Seeking, content: Content, { slack }: BotContext): Promise<void> => {
  if (by.kind === 'command') {
    if (await slack.respond(by.responseUrl, content, by.user)) return;
    await slack.ephemeral(by, content);
    return;
  }
  const { channel, user, threadTs, ts } = by.mention;
  await slack.ephemeral({ channel, user, threadTs: threadTs ?? ts }, content);
};

/** Once: what only one person sees cannot be found again, so it is noted that it was shown. */
const showOnce = async (
  seeking: Seeking,
  part: string,
  bot: BotContext,
  make: () => Promise<Content>,
): Promise<void> => {
  const id = `${seeking.by.id}-${part}`;
  if ((await bot.queue.notes.get('shown', id)) !== null) return;
  await showAsker(seeking, await make(), bot);
  await bot.queue.notes.set('shown', id, true, REMEMBER_SECONDS);
};

/** Tells the asker alone a sentence about the process that they asked for. Safe to repeat. */
export const tellAsker = (seeking: Seeking, sentence: string, bot: BotContext): Promise<void> =>
  showOnce(seeking, `said-${sentence.length}`, bot, async () => sentenceContent(sentence));

/** Lets the asker pick one of several. Safe to repeat. */
export const offerCandidates = (seeking: Seeking, found: Several, bot: BotContext): Promise<void> =>
  showOnce(seeking, 'list', bot, () => listContent(seeking, found, bot));
