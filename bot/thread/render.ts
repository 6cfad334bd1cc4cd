import type { ContextBlock, HeaderBlock, KnownBlock, RichTextBlock } from '@slack/types';
import type { Report } from '../../playbooks/model/index.ts';
import { duration } from '../../playbooks/reading/text.ts';
import { headline, type ReportPart, reportParts } from '../../playbooks/report-parts.ts';
import { inLanguage, type Language } from '../../playbooks/words/index.ts';
import type { Content } from '../slack/shapes.ts';
import {
  bold,
  bullets,
  cutTo,
  fallback,
  fitsHeader,
  header,
  MAX_BLOCK_TEXT,
  note,
  paragraph,
  person,
  plain,
  preformatted,
  shownLines,
  spans,
} from './rich-text.ts';

/** The blocks that a report is made of. All text in them is literal. */
type ReportBlock = RichTextBlock | HeaderBlock | ContextBlock;

/** A block with the length of its text, which Slack limits for a message as a whole. */
interface Sized {
  readonly block: ReportBlock;
  readonly length: number;
}

/**
 * Slack takes 50 blocks, and about 13,200 characters with 50 counted for each block (not documented; found by others
 * at slackapi/bolt-js issues 2509 and 2867). Ours stay well below both.
 */
const MAX_BLOCKS = 45;
const MAX_MESSAGE = 10_000;
const PER_BLOCK = 60;
/** A report of more messages than this is read more easily as a file. */
const MAX_MESSAGES = 5;

const MAX_QUOTE = 400;
const MAX_QUOTES = 2_600;
const MAX_ITEM = 700;

const WHOLE = 'Shortened here. The whole is in report.txt and report.json below.';

/** Blocks of one report; `cut` is set when something did not fit into them. */
interface Blocks {
  readonly sized: Sized[];
  cut: boolean;
}

const lengthOf = (tree: unknown): number => {
  if (Array.isArray(tree)) return tree.reduce((sum: number, each) => sum + lengthOf(each), 0);
  if (typeof tree !== 'object' || tree === null) return 0;
  return Object.entries(tree).reduce(
    (sum, [name, value]) => sum + (name === 'text' && typeof value === 'string' ? value.length : lengthOf(value)),
    0,
  );
};

const add = (blocks: Blocks, block: ReportBlock): void => {
  blocks.sized.push({ block, length: lengthOf(block) + PER_BLOCK });
};

const shorten = (blocks: Blocks, text: string, length = MAX_BLOCK_TEXT): string => {
  const fitted = cutTo(text, length);
  if (fitted.cut) blocks.cut = true;
  return fitted.text;
};

const addQuotes = (blocks: Blocks, lines: readonly { at: string; text: string }[]): void => {
  const shown: string[] = [];
  let used = 0;
  for (const { at, text } of lines) {
    const line = `${at} ${shorten(blocks, shownLines(text).replaceAll('\n', '\\x0a'), MAX_QUOTE)}`;
    if (used + line.length + 1 > MAX_QUOTES) break;
    used += line.length + 1;
    shown.push(line);
  }
  if (shown.length < lines.length) {
    blocks.cut = true;
    shown.push(`… and ${lines.length - shown.length} more lines`);
  }
  add(blocks, preformatted(shown.join('\n')));
};

/** Items that follow each other become lists, none of them longer than a block may be. */
const addItems = (blocks: Blocks, items: readonly string[]): void => {
  let list: string[] = [];
  let used = 0;
  const flush = () => {
    if (list.length > 0) add(blocks, bullets(list.map(spans)));
    list = [];
    used = 0;
  };
  for (const item of items) {
    const text = shorten(blocks, shownLines(item).replaceAll('\n', ' '), MAX_ITEM);
    if (used + text.length > MAX_BLOCK_TEXT) flush();
    list.push(text);
    used += text.length;
  }
  flush();
};

/** A header, or a bold paragraph for what is too long for one. */
const headingBlock = (blocks: Blocks, text: string): ReportBlock =>
  fitsHeader(text) ? header(text) : paragraph([bold(shorten(blocks, shownLines(text)))]);

const addPart = (blocks: Blocks, part: Exclude<ReportPart, { kind: 'item' }>): void => {
  switch (part.kind) {
    case 'heading':
      add(blocks, headingBlock(blocks, part.text.replaceAll('`', '')));
      break;
    case 'text':
      add(blocks, paragraph(spans(shorten(blocks, shownLines(part.text)))));
      break;
    case 'quotes':
      addQuotes(blocks, part.lines);
      break;
    case 'code':
      add(blocks, preformatted(shorten(blocks, codeText(part.text))));
      break;
    case 'note':
      add(blocks, note(part.text));
      break;
  }
};

/** Code keeps its tabs, and loses the newline at its end, which would be an empty line in the box. */
const codeText = (text: string): string => text.replace(/\n+$/, '').split('\t').map(shownLines).join('\t');

const blocksOf = (parts: readonly ReportPart[]): Blocks => {
  const blocks: Blocks = { sized: [], cut: false };
  let items: string[] = [];
  for (const part of parts) {
    if (part.kind === 'item') {
      items.push(part.text);
      continue;
    }
    addItems(blocks, items);
    items = [];
    addPart(blocks, part);
  }
  addItems(blocks, items);
  return blocks;
};

/** Fills messages one after the other; what does not fit into the last one is left out. */
const intoMessages = (blocks: Blocks): ReportBlock[][] => {
  const messages: ReportBlock[][] = [];
  let current: ReportBlock[] = [];
  let used = 0;
  for (const { block, length } of blocks.sized) {
    if (current.length > 0 && (current.length >= MAX_BLOCKS || used + length > MAX_MESSAGE)) {
      messages.push(current);
      current = [];
      used = 0;
    }
    current.push(block);
    used += length;
  }
  if (current.length > 0) messages.push(current);
  if (messages.length > MAX_MESSAGES) {
    blocks.cut = true;
    return messages.slice(0, MAX_MESSAGES);
  }
  return messages;
};

/** Parts as one message, and whether it had to be shortened; then it says that the whole is in the file of this name. Pure. */
export const renderParts = (
  parts: readonly ReportPart[],
  title: string,
  file: string,
  language: Language = 'en',
): { readonly content: Content; readonly cut: boolean } => {
  const blocks = blocksOf(parts);
  const [first = [], ...more] = intoMessages(blocks);
  const cut = blocks.cut || more.length > 0;
  const shortened = note(inLanguage(`Shortened here. The whole is in ${file} below.`, language));
  return { content: { text: fallback(title), blocks: cut ? [...first, shortened] : first }, cut };
};

/**
 * A report as the messages that are posted in its thread, in order: at most five, each within Slack's limits whatever
 * the report holds. What was cut says so; the whole goes as files beside it. The first one mentions `asker`, if there is one. Pure.
 */
export const renderReport = (report: Report, asker: string | null, language: Language = 'en'): Content[] => {
  const blocks = blocksOf(reportParts(report, language));
  const messages = intoMessages(blocks);
  const done = inLanguage(`The look is done, it took ${duration(report.seconds)}.`, language);
  const greeting: KnownBlock = paragraph([
    ...(asker === null ? [] : [person(asker)]),
    plain(asker === null ? done : ` ${done.charAt(0).toLowerCase()}${done.slice(1)}`),
  ]);
  const last = messages.at(-1);
  if (blocks.cut) last?.push(note(inLanguage(WHOLE, language)));
  const title = fallback(headline(report, language));
  return messages.map((message, index) => ({
    text: index === 0 ? title : `${title} ${inLanguage(`(${index + 1} of ${messages.length})`, language)}`,
    blocks: index === 0 ? [greeting, ...message] : message,
  }));
};
