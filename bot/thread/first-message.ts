import type { KnownBlock, RichTextElement } from '@slack/types';
import type { Failure, Progress, Report, Request } from '../../playbooks/model/index.ts';
import { duration } from '../../playbooks/reading/text.ts';
import { confidenceWords, headline, subject, verdictOf } from '../../playbooks/report-parts.ts';
import { inLanguage, type Language } from '../../playbooks/words/index.ts';
import { textInLanguage } from '../slack/in-language.ts';
import type { Content, Mark } from '../slack/shapes.ts';
import {
  bold,
  cutTo,
  fallback,
  fitsHeader,
  header,
  note,
  paragraph,
  person,
  plain,
  shownLines,
  spans,
} from './rich-text.ts';

/** What the message that shows a look needs to know of the request that it shows. */
export type Asked = Omit<Request, 'origin'>;

const SIGNS = { fault: '🔴', healthy: '🟢', unclear: '🟡' } as const;
/** A tool was asked for, and it found no fault by the way. */
const TOLD = '🔵';
const BAR = 12;

const target = (request: Asked): string => `process ${request.pid} on ${request.host}`;

const window = (request: Asked): string =>
  request.windowSeconds === undefined ? '' : `, window ${duration(request.windowSeconds)}`;

const footer = (request: Asked, language: Language, more = ''): KnownBlock =>
  note(inLanguage(`Playbook ${request.playbook}${window(request)}${more}, look ${request.id}`, language));

const bar = (percent: number): string => {
  const full = Math.round((Math.min(100, Math.max(0, percent)) / 100) * BAR);
  return `${'▰'.repeat(full)}${'▱'.repeat(BAR - full)}`;
};

/** The message that shows a look: `first` opens its thread, `look` is a reply in it. */
export type ShowingPart = 'first' | 'look';

/** What such a message is recognised by, and what a follow-up in its thread reads the request from. */
export const showingMark = (request: Asked, part: ShowingPart): Mark => ({
  request_id: request.id,
  part,
  host: request.host,
  pid: request.pid,
  playbook: request.playbook,
  ...(request.windowSeconds === undefined ? {} : { window_seconds: request.windowSeconds }),
});

/** Who asked, mentioned in an edit, which notifies nobody; null for an alert. */
const askedBy = (asker: string | null, language: Language, more = ''): RichTextElement[] =>
  asker === null
    ? [plain(inLanguage(`An alert asked.${more}`, language))]
    : [person(asker), plain(` ${inLanguage(`asked.${more}`, language)}`)];

/** Before anything runs. `why` says what it waits for. */
export const openingContent = (
  request: Asked,
  asker: string | null,
  why: string,
  language: Language = 'en',
): Content => {
  const title = inLanguage(`Looking at ${target(request)}`, language);
  return {
    text: title,
    blocks: [
      header(title),
      paragraph([
        ...askedBy(asker, language, ' '),
        ...spans(cutTo(shownLines(textInLanguage(why, language)), 600).text),
      ]),
      footer(request, language),
    ],
  };
};

/** While it runs: what, for how long, how far. */
export const progressContent = (
  request: Asked,
  asker: string | null,
  progress: Progress,
  language: Language = 'en',
): Content => {
  const percent = Math.floor(progress.percent);
  const probes = progress.probes.length === 0 ? '' : ` (${progress.probes.slice(0, 8).join(', ')})`;
  const said = inLanguage(progress.doing, language);
  const doing = cutTo(shownLines(`${said}${probes}`).replaceAll('\n', ' '), 400).text;
  const title = inLanguage(`Looking at ${target(request)}`, language);
  return {
    text: `${title}: ${percent} %`,
    blocks: [
      header(title),
      paragraph([plain(`${bar(percent)}  ${percent} %, ${duration(Math.floor(progress.seconds))}`)]),
      paragraph(spans(doing)),
      paragraph(askedBy(asker, language)),
      footer(request, language),
    ],
  };
};

/** After it, with words that say `where` the report is: the headline, how sure it is, and which process it was. */
export const reportContent = (
  request: Asked,
  asker: string | null,
  report: Report,
  where = ' The report is in the thread.',
  language: Language = 'en',
): Content => {
  const { verdict, first } = verdictOf(report);
  const title = headline(report, language).replaceAll('`', '');
  const tool = report.shown !== undefined && verdict === 'unclear';
  const sign = tool ? TOLD : SIGNS[verdict];
  // What a header cannot hold would be read twice, once cut and once whole.
  const top = fitsHeader(`${sign} ${title}`)
    ? [header(`${sign} ${title}`)]
    : [
        header(`${sign} ${inLanguage(`Process ${request.pid} on ${request.host}`, language)}`),
        paragraph([bold(cutTo(shownLines(title), 1_000).text)]),
      ];
  const sure =
    first === null
      ? 'No cause could be shown.'
      : `Confidence: ${confidenceWords(first.confidence)}. Cause: \`${first.cause}\`.`;
  return {
    text: fallback(`${title} (${inLanguage(target(request), language)})`),
    blocks: [
      ...top,
      ...(tool ? [] : [paragraph(spans(inLanguage(sure, language)))]),
      paragraph(spans(cutTo(shownLines(subject(report, language)).replaceAll('\n', ' '), 600).text)),
      paragraph(askedBy(asker, language, where)),
      footer(request, language, `, ${duration(report.seconds)}`),
    ],
  };
};

/** When there is nothing to report: one sentence that says why and what to do. */
export const failureContent = (
  request: Asked,
  asker: string | null,
  failure: Failure,
  language: Language = 'en',
): Content => {
  const what = failure.code === 'cancelled' ? 'Cancelled: the look at' : 'Could not look at';
  const title = inLanguage(`${what} ${target(request)}`, language);
  const sentence = inLanguage(failure.sentence, language);
  return {
    text: fallback(`${title}: ${sentence}`),
    blocks: [
      header(`⚪ ${title}`),
      paragraph(spans(cutTo(shownLines(sentence), 2_000).text)),
      paragraph(askedBy(asker, language)),
      footer(request, language, `, ${failure.code}`),
    ],
  };
};

/** A sentence as a message of its own in the thread. */
export const sentenceContent = (sentence: string, mention?: string | null): Content => {
  const shown = cutTo(shownLines(sentence), 2_500).text;
  return {
    text: fallback(sentence),
    blocks: [
      paragraph([...(mention === undefined || mention === null ? [] : [person(mention), plain(' ')]), ...spans(shown)]),
    ],
  };
};
