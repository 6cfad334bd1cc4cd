import type { KnownBlock } from '@slack/types';
import type { Reply, Step } from '../../playbooks/model/index.ts';
import type { Language } from '../../playbooks/words/index.ts';
import type { Content } from '../slack/shapes.ts';
import { cutTo, fallback, note, paragraph, plain, preformatted, shownLines, spans } from '../thread/rich-text.ts';
import { type QuestionWords, questionWords } from './words.ts';

/** What a message of a question is about, whatever its state. */
interface About {
  readonly text: string;
  readonly made: readonly { readonly verb: string; readonly text: string | null }[];
}

const STATE = 'straceback-question';
const MOST_ASKED = 150;
const MOST_TEXT = 700;
const MOST_LINE = 200;

/** Which question it is, for several may be asked at once. A person's own words: plain text, which Slack does not parse. */
const asked = ({ text }: About): KnownBlock => note(`“${cutTo(text, MOST_ASKED).text}”`);

/** How far a message is: the number of steps shown in it while it goes on; the end is beyond all of them. */
const marked = (blocks: readonly KnownBlock[], state: number | 'end'): KnownBlock[] =>
  blocks.map((block, index) => (index === 0 ? { ...block, block_id: `${STATE}-${state}` } : block));

/** Whether a message that stands in the thread is further than this already. */
export const isPast = ({ blocks }: Content, state: number): boolean => {
  const id = blocks[0]?.block_id ?? '';
  return id === `${STATE}-end` || Number(id.slice(STATE.length + 1)) > state;
};

const stepWords = ({ made }: About): string[] =>
  made.map(({ verb, text }) => (text === null ? verb : `${verb} “${cutTo(shownLines(text), 60).text}”`));

/** Before there is an answer. */
export const lookingContent = (
  about: About,
  state: 'looking' | 'no-worker' | 'closer',
  language: Language,
): Content => {
  const words = questionWords(language);
  const sentence = {
    looking: words.looking,
    'no-worker': words.noWorker,
    closer: words.closer(stepWords(about)),
  }[state];
  return {
    text: fallback(sentence),
    blocks: marked([asked(about), paragraph([plain(shownLines(sentence))])], about.made.length),
  };
};

const line = (text: string): string => cutTo(shownLines(text).replaceAll('\n', ' '), MOST_TEXT).text;

const answered = (said: Extract<Reply['said'], { kind: 'answer' }>, words: QuestionWords): KnownBlock[] => [
  paragraph(
    spans(said.sentences.length === 0 ? words.cannotTell : said.sentences.map(({ text }) => line(text)).join(' ')),
  ),
  ...(said.lines.length === 0
    ? []
    : [
        paragraph([plain(words.restsOn)]),
        preformatted(
          said.lines
            .map(({ evidenceId, probe, text }) => `${evidenceId} ${probe}: ${cutTo(shownLines(text), MOST_LINE).text}`)
            .join('\n'),
        ),
      ]),
];

const sentenceOf = (said: Reply['said'], words: QuestionWords): string => {
  if (said.kind === 'no-model') return words.noModel;
  if (said.kind === 'nothing') return words.nothing(said.note);
  if (said.kind === 'answer' && said.sentences.length > 0) return said.sentences.map(({ text }) => text).join(' ');
  return words.cannotTell;
};

/** The end of a question. `offer`: what could be run, with its button. Pure. */
export const answerContent = (
  about: About,
  { said, model, usage, price }: Reply,
  offer: { readonly step: Step; readonly button: KnownBlock } | null,
  language: Language,
): Content => {
  const words = questionWords(language);
  const sentence = sentenceOf(said, words);
  const tokens = usage.input + usage.output;
  const cost = price === null ? '' : `, $${price.toFixed(4)}`;
  const dropped = said.kind === 'answer' ? said.dropped : 0;
  return {
    text: fallback(sentence),
    blocks: marked(
      [
        asked(about),
        ...(said.kind === 'answer' ? answered(said, words) : [paragraph(spans(line(sentence)))]),
        ...(offer === null
          ? []
          : [paragraph(spans(words.couldRun(offer.step.verb, line(offer.step.summary)))), offer.button]),
        ...(model === '' ? [] : [note(words.footer(model, tokens, cost, dropped, stepWords(about)))]),
      ],
      'end',
    ),
  };
};

/** What the button says that runs a step. */
export const runLabel = (verb: string, language: Language): string => questionWords(language).run(verb);
