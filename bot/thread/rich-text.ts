import type { ContextBlock, HeaderBlock, RichTextBlock, RichTextElement } from '@slack/types';
import { visible } from '../../playbooks/reading/text.ts';

/*
 * Everything from a host is shown as rich text or plain text, which Slack does not parse: a `<!channel>` in a process
 * name is eleven letters and calls nobody. Only the short `text` of a message is mrkdwn, and is escaped.
 */

/** The longest header that Slack takes. */
const MAX_HEADER = 150;
/** Slack documents 3,000 characters for the text of a block; each of ours stays below. */
export const MAX_BLOCK_TEXT = 2_900;

/** Text for a mrkdwn field: Slack's three control characters escaped, the rest made visible. */
export const escaped = (text: string): string =>
  visible(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** The `text` of a message: escaped, and short enough (Slack takes 4,000 in an edit) whatever escaping makes of it. */
export const fallback = (text: string): string => escaped(cutTo(visible(text), 700).text);

/** Text that keeps its lines and shows everything else that is not printable as an escape. */
export const shownLines = (text: string): string => text.split('\n').map(visible).join('\n');

/** `text` cut to `length` with a word that says so, and whether it was cut. */
export const cutTo = (text: string, length: number): { text: string; cut: boolean } => {
  if (text.length <= length) return { text, cut: false };
  const rest = ` (cut, ${text.length.toLocaleString('en-US')} characters)`;
  return { text: `${head(text, length - rest.length)}${rest}`, cut: true };
};

/** The first `length` UTF-16 units, as Slack counts them, without half a character at the end. */
const head = (text: string, length: number): string =>
  text.slice(0, Math.max(0, length)).replace(/[\ud800-\udbff]$/, '');

const textElement = (text: string, style?: { bold?: true; code?: true }): RichTextElement => ({
  type: 'text',
  text,
  ...(style === undefined ? {} : { style }),
});

/** Prose in which words between backticks are code; a lone backtick stays what it is. */
export const spans = (text: string): RichTextElement[] => {
  const pieces = text.split('`');
  const closed = pieces.length % 2 === 1 ? pieces.length : pieces.length - 1;
  const elements = pieces
    .slice(0, closed)
    .flatMap((piece, index) =>
      piece === '' ? [] : [index % 2 === 1 ? textElement(piece, { code: true }) : textElement(piece)],
    );
  const rest = pieces.slice(closed).join('');
  return rest === '' ? elements : [...elements, textElement(`\`${rest}`)];
};

/** A mention of a person; they are notified when it is in a new message. */
export const person = (user: string): RichTextElement => ({ type: 'user', user_id: user });

export const bold = (text: string): RichTextElement => textElement(text, { bold: true });

export const plain = (text: string): RichTextElement => textElement(text);

const richText = (element: RichTextBlock['elements'][number]): RichTextBlock => ({
  type: 'rich_text',
  elements: [element],
});

/** A paragraph. Without elements it would be refused, so an empty one is a space. */
export const paragraph = (elements: readonly RichTextElement[]): RichTextBlock =>
  richText({ type: 'rich_text_section', elements: elements.length === 0 ? [plain(' ')] : [...elements] });

/** Literal lines in a box. */
export const preformatted = (text: string): RichTextBlock =>
  richText({ type: 'rich_text_preformatted', elements: [{ type: 'text', text: text === '' ? ' ' : text }] });

export const bullets = (items: readonly (readonly RichTextElement[])[]): RichTextBlock =>
  richText({
    type: 'rich_text_list',
    style: 'bullet',
    elements: items.map((elements) => ({
      type: 'rich_text_section',
      elements: elements.length === 0 ? [plain(' ')] : [...elements],
    })),
  });

/** A large line, cut to what Slack takes. Emoji codes in it stay letters. */
export const header = (text: string): HeaderBlock => ({
  type: 'header',
  text: { type: 'plain_text', text: headerText(text), emoji: false },
});

/** Whether a header shows the whole text. */
export const fitsHeader = (text: string): boolean => visible(text).length <= MAX_HEADER;

const headerText = (text: string): string => {
  const shown = visible(text).trim();
  if (shown === '') return ' ';
  return shown.length <= MAX_HEADER ? shown : `${head(shown, MAX_HEADER - 1)}…`;
};

/** Small print. */
export const note = (text: string): ContextBlock => {
  const shown = cutTo(visible(text), 1_900).text;
  return { type: 'context', elements: [{ type: 'plain_text', text: shown === '' ? ' ' : shown, emoji: false }] };
};
