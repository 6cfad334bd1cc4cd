import type { ListedLook, ListedPage } from '../../infra/history/read.ts';
import { HistoryUnavailable } from '../../infra/history/trouble.ts';
import { clip, count } from '../../playbooks/reading/text.ts';
import { confidenceWords } from '../../playbooks/report-parts.ts';
import { linkTo } from '../alerts/thread.ts';
import type { Asked, Command } from '../command.ts';
import type { BotContext } from '../context.ts';
import { inTime } from '../in-time.ts';
import { SlackAway } from '../slack/errors.ts';
import { escaped, shownLines } from '../thread/rich-text.ts';
import { quoted } from '../words.ts';

const SIZE = 10;
const MOST_PAGES = 1_000;
const MOST_HEADLINE = 140;

const SIGNS: Readonly<Record<string, string>> = {
  fault: '🔴',
  healthy: '🟢',
  unclear: '🟡',
  failed: '⚪',
  cancelled: '⚪',
};

const lookLine = (look: ListedLook, url: string): string => {
  const { at, host, pid, cause, confidence, channel, threadTs, state } = look;
  const when = `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  const words = escaped(shownLines(clip(look.headline, MOST_HEADLINE)).replaceAll('\n', ' '));
  const sure = cause === null || confidence === null ? '' : ` (\`${cause}\`, ${confidenceWords(confidence)})`;
  const link = linkTo(url, { channel, ts: threadTs });
  return `${SIGNS[state] ?? '⚪'} ${when}, process ${pid} on \`${host}\`: ${words}${sure} <${link}|thread>`;
};

/** The looks of a page that may really be shown in this channel: what was open when it was written down may be closed now. */
const stillOpen = async (
  wanted: { about: string | null; channel: string; page: number; size: number },
  bot: BotContext,
  history: NonNullable<BotContext['history']>,
): Promise<ListedPage> => {
  const page = await history.list(wanted);
  const others = new Set(page.looks.map(({ channel }) => channel).filter((channel) => channel !== wanted.channel));
  const closed = new Map<string, boolean>();
  await Promise.all(
    [...others].map(async (channel) => {
      if (await bot.isClosed(channel)) closed.set(channel, true);
    }),
  );
  if (closed.size === 0) return page;
  await history.channels(closed);
  return await stillOpen(wanted, bot, history);
};

const pageText = ({ looks, total, leftOut }: ListedPage, about: string | null, page: number, url: string): string => {
  const of = about === null ? '' : ` of ${quoted(about)}`;
  const hidden =
    leftOut === 0
      ? []
      : [
          `${count(leftOut, 'look')} in private channels ${leftOut === 1 ? 'is' : 'are'} left out; ask there to see them.`,
        ];
  if (total === 0) return [`The history has no look${of} that can be shown here.`, ...hidden].join('\n');
  const pages = Math.ceil(total / SIZE);
  if (looks.length === 0) return [`There is no page ${page}; the last one is ${pages}.`, ...hidden].join('\n');
  const command = about === null ? '/diagnose history' : `/diagnose history ${about.replaceAll('`', '')}`;
  const next = page < pages ? ` Older ones: \`${escaped(command)} ${page + 1}\`.` : '';
  return [
    `${count(total, 'look')}${of}, page ${page} of ${pages}.${next}`,
    ...looks.map((look) => lookLine(look, url)),
    ...hidden,
  ].join('\n');
};

const readPage = (words: readonly string[]): { about: string | null; page: number } => {
  const last = words.at(-1) ?? '';
  const page = /^\d{1,4}$/.test(last) ? Math.min(Math.max(1, Number(last)), MOST_PAGES) : null;
  const about = (page === null ? words : words.slice(0, -1)).join(' ').slice(0, 200);
  return { about: about === '' ? null : about, page: page ?? 1 };
};

/** What was looked at before, as far as it may be shown to who asks. */
export const history: Command = {
  verb: 'history',
  usage: '[host|service|cause] [page]',
  summary: 'what was found before, newest first, of all hosts or of one host, service or cause',
  run: async ({ words, channel }: Asked, bot) => {
    if (bot.history === null) return 'No history is kept here (`history: {keep: false}` in the configuration).';
    const { about, page } = readPage(words);
    try {
      const found = await inTime(stillOpen({ about, channel, page, size: SIZE }, bot, bot.history));
      return found === null
        ? 'The history does not answer in time. Try again in a minute.'
        : pageText(found, about, page, bot.me.url);
    } catch (error) {
      if (error instanceof HistoryUnavailable) return escaped(`${error.message} Try again in a minute.`);
      if (error instanceof SlackAway) return 'Slack does not tell me now who may see what. Try again in a minute.';
      throw error;
    }
  },
};
