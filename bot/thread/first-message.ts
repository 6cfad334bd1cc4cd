import type { KnownBlock, RichTextElement } from '@slack/types';
import type { Failure, Progress, Report, Request } from '../../playbooks/model/index.ts';
import { duration } from '../../playbooks/reading/text.ts';
import { confidenceWords, headline, subject, verdictOf } from '../../playbooks/report-parts.ts';
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

const footer = (request: Asked, more = ''): KnownBlock =>
  note(`Playbook ${request.playbook}${window(request)}${more}, look ${request.id}`);

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
const askedBy = (asker: string | null, more = ''): RichTextElement[] =>
  asker === null ? [plain(`An alert asked.${more}`)] : [person(asker), plain(` asked.${more}`)];

/** Before anything runs. `why` says what it waits for. */
export const openingContent = (request: Asked, asker: string | null, why: string): Content => ({
  text: `Looking at ${target(request)}`,
  blocks: [
    header(`Looking at ${target(request)}`),
    paragraph([...askedBy(asker, ' '), ...spans(cutTo(shownLines(why), 600).text)]),
    footer(request),
  ],
});

/** While it runs: what, for how long, how far. */
export const progressContent = (request: Asked, asker: string | null, progress: Progress): Content => {
  const percent = Math.floor(progress.percent);
  const probes = progress.probes.length === 0 ? '' : ` (${progress.probes.slice(0, 8).join(', ')})`;
  const doing = cutTo(shownLines(`${progress.doing}${probes}`).replaceAll('\n', ' '), 400).text;
  return {
    text: `Looking at ${target(request)}: ${percent} %`,
    blocks: [
      header(`Looking at ${target(request)}`),
      paragraph([plain(`${bar(percent)}  ${percent} %, ${duration(Math.floor(progress.seconds))}`)]),
      paragraph(spans(doing)),
      paragraph(askedBy(asker)),
      footer(request),
    ],
  };
};

/** After it, with words that say `where` the report is: the headline, how sure it is, and which process it was. */
export const reportContent = (
  request: Asked,
  asker: string | null,
  report: Report,
  where = ' The report is in the thread.',
): Content => {
  const { verdict, first } = verdictOf(report);
  const title = headline(report).replaceAll('`', '');
  const tool = report.shown !== undefined && verdict === 'unclear';
  const sign = tool ? TOLD : SIGNS[verdict];
  // What a header cannot hold would be read twice, once cut and once whole.
  const top = fitsHeader(`${sign} ${title}`)
    ? [header(`${sign} ${title}`)]
    : [
        header(`${sign} Process ${request.pid} on ${request.host}`),
        paragraph([bold(cutTo(shownLines(title), 1_000).text)]),
      ];
  const sure =
    first === null
      ? 'No cause could be shown.'
      : `Confidence: ${confidenceWords(first.confidence)}. Cause: \`${first.cause}\`.`;
  return {
    text: fallback(`${title} (${target(request)})`),
    blocks: [
      ...top,
      ...(tool ? [] : [paragraph(spans(sure))]),
      paragraph(spans(cutTo(shownLines(subject(report)).replaceAll('\n', ' '), 600).text)),
      paragraph(askedBy(asker, where)),
      footer(request, `, ${duration(report.seconds)}`),
    ],
  };
};

/** When there is nothing to report: one sentence that says why and what to do. */
export const failureContent = (request: Asked, asker: string | null, failure: Failure): Content => {
  const title = `${failure.code === 'cancelled' ? 'Cancelled: the look at' : 'Could not look at'} ${target(request)}`;
  return {
    text: fallback(`${title}: ${failure.sentence}`),
    blocks: [
      header(`⚪ ${title}`),
      paragraph(spans(cutTo(shownLines(failure.sentence), 2_000).text)),
      paragraph(askedBy(asker)),
      footer(request, `, ${failure.code}`),
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
