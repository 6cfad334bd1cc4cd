import type { KnownBlock } from '@slack/types';
import type { Prose } from '../../playbooks/model/index.ts';
import { count } from '../../playbooks/reading/text.ts';
import { inLanguage, type Language } from '../../playbooks/words/index.ts';
import type { Content } from '../slack/shapes.ts';
import { bold, bullets, cutTo, note, paragraph, plain, preformatted, shownLines, spans } from './rich-text.ts';

/** What the blocks of prose begin with, so that a second one takes the place of the first. */
const BLOCK_ID = 'straceback-prose';
/** A first message stays something that is read at a glance. */
const MOST_CODE = 1_500;
const MOST_TEXT = 700;

/** What a model's part of an answer came to. */
export interface Written {
  /** Null when the plain report stands alone; then `note` says why, as a clause. */
  readonly prose: Prose | null;
  readonly note: string | null;
  readonly model: string;
  readonly tokens: number;
  /** US dollars; null when the site has not said what tokens cost. */
  readonly price: number | null;
  /** Sentences that were not covered by the report. */
  readonly dropped: number;
}

const line = (text: string): string => cutTo(shownLines(text).replaceAll('\n', ' '), MOST_TEXT).text;

const footer = ({ model, tokens, price, dropped, note: why }: Written): string => {
  const cost = price === null ? '' : `, $${price.toFixed(4)}`;
  const used = tokens === 0 ? '' : ` (${count(tokens, 'token')}${cost})`;
  if (why !== null) return `No summary by ${model}: ${why}${used}. The report in the thread is complete without one.`;
  const left = dropped === 0 ? '' : `; ${count(dropped, 'sentence')} left out that the evidence does not cover`;
  return `Summary by ${model}${used} from the report in the thread${left}. Say \`model\` there for what it saw and said.`;
};

const numbered = (blocks: KnownBlock[]): KnownBlock[] =>
  blocks.map((block, index) => ({ ...block, block_id: `${BLOCK_ID}-${index}` }));

const proseBlocks = ({ headline, sentences, fix, next }: Prose, language: Language): KnownBlock[] => [
  paragraph([bold(line(headline.text))]),
  paragraph(spans(line(sentences.map(({ text }) => text).join(' ')))),
  ...(fix === null ? [] : [paragraph([bold(inLanguage('Fix: ', language)), ...spans(line(fix.text))])]),
  ...(fix === null || fix.code === null
    ? []
    : [preformatted(cutTo(fix.code.split('\t').map(shownLines).join('\t'), MOST_CODE).text)]),
  ...(next.length === 0
    ? []
    : [paragraph([plain(inLanguage('Next:', language))]), bullets(next.map(({ text }) => spans(line(text))))]),
];

/** A message that shows a look, with the prose before its last line. Pure. */
export const withProse = ({ text, blocks }: Content, written: Written, language: Language = 'en'): Content => {
  const rest = blocks.filter((block) => block.block_id?.startsWith(BLOCK_ID) !== true);
  const own = numbered([
    ...(written.prose === null ? [] : proseBlocks(written.prose, language)),
    note(inLanguage(footer(written), language)),
  ]);
  return { text, blocks: [...rest.slice(0, -1), ...own, ...rest.slice(-1)] };
};
