import type { KnownBlock, RichTextElement } from '@slack/types';
import type { SeenBefore } from '../../infra/history/read.ts';
import { clip, count } from '../../playbooks/reading/text.ts';
import { linkTo } from '../alerts/thread.ts';
import type { Content } from '../slack/shapes.ts';
import { paragraph, plain, shownLines } from '../thread/rich-text.ts';

const BLOCK_ID = 'straceback-seen-before';
const MOST_NOTE = 160;

const minute = (at: Date): string => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
const day = (at: Date): string => at.toISOString().slice(0, 10);
const quotedNote = (words: string): string => `“${clip(shownLines(words).replaceAll('\n', ' '), MOST_NOTE)}”`;

const whatBecame = (seen: SeenBefore): string => {
  const { helped, resolved, gone, wrong, instead, times } = seen;
  const ends = [
    ...(helped.length === 0 ? [] : [`what helped: ${helped.map(({ words }) => quotedNote(words)).join('; ')}`]),
    ...(resolved === 0 ? [] : [`resolved ${resolved} of ${count(times, 'time')}`]),
    ...(gone === 0 ? [] : [`a later look showed it gone ${count(gone, 'time')}`]),
    ...(wrong === 0
      ? []
      : [
          `said to be wrong ${count(wrong, 'time')}${instead === null ? '' : `, at last in favour of ${shownLines(instead)}`}`,
        ]),
  ];
  const text = ends.join('; ');
  return text === '' ? ' Nothing is known of what helped.' : ` ${text[0]?.toUpperCase()}${text.slice(1)}.`;
};

/** When, how often and what became of it, with a link to the newest thread. `url` is the workspace's. */
const seenElements = (seen: SeenBefore, url: string): RichTextElement[] => {
  const { times, first, last } = seen;
  const since = times === 1 ? '' : ` since ${day(first)}, last`;
  return [
    plain(`🕘 Seen before: ${count(times, 'time')}${since} on ${minute(last.at)} on ${shownLines(last.host)} (`),
    { type: 'link', url: linkTo(url, { channel: last.channel, ts: last.threadTs }), text: 'thread' },
    plain(`).${whatBecame(seen)}`),
  ];
};

/** A message that shows a look, with that line before its last one; a second time takes the place of the first. Pure. */
export const withSeenBefore = ({ text, blocks }: Content, seen: SeenBefore, url: string): Content => {
  const rest = blocks.filter((block) => block.block_id !== BLOCK_ID);
  const line: KnownBlock = { ...paragraph(seenElements(seen, url)), block_id: BLOCK_ID };
  return { text, blocks: [...rest.slice(0, -1), line, ...rest.slice(-1)] };
};
