import type { Change, SlackMessage } from './slack/types.ts';

type Json = { readonly [key: string]: unknown };

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Slack's entities as the characters that they stand for. */
const plain = (text: string): string => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

/** Blocks whose elements are runs of one line of text. */
const RUNS: ReadonlySet<unknown> = new Set([
  'rich_text_section',
  'rich_text_preformatted',
  'rich_text_quote',
  'context',
]);

/** One run of text; people and links by what identifies them. */
const runOf = (value: unknown): string => {
  if (!isObject(value)) return '';
  if (value.type === 'user') return `@${String(value.user_id)}`;
  if (value.type === 'usergroup') return `@${String(value.usergroup_id)}`;
  if (value.type === 'link') return String(value.text ?? value.url);
  if (value.type === 'date') return String(value.fallback ?? '');
  return typeof value.text === 'string' ? plain(value.text) : textsOf(value).join(' ');
};

/** All texts of a block in reading order, whatever its kind: what a person would read, without the layout. */
const textsOf = (value: unknown): string[] => {
  if (Array.isArray(value)) return value.flatMap(textsOf);
  if (!isObject(value)) return [];
  if (RUNS.has(value.type) && Array.isArray(value.elements)) return [value.elements.map(runOf).join('')];
  if (typeof value.text === 'string') return [plain(value.text)];
  return ['title', 'text', 'fields', 'elements', 'rows'].flatMap((key) => textsOf(value[key]));
};

/** A message as lines of plain text. */
export const messageText = (message: SlackMessage): string => {
  const texts = textsOf(message.blocks ?? []);
  const files = (message.files ?? []).map((file) => `[file ${file.name}, ${file.size} bytes]`);
  const body = texts.length > 0 ? texts : message.text === '' ? [] : [plain(message.text)];
  return [...body, ...files].join('\n');
};

/**
 * Prints messages as they come and change, replies indented; an edit is printed when it says something new.
 * Control characters never reach the terminal.
 */
export const threadPrinter = (print: (line: string) => void): ((change: Change) => void) => {
  const shown = new Map<string, string>();
  return (change) => {
    if (change.kind !== 'message' && change.kind !== 'update' && change.kind !== 'ephemeral') return;
    const { message } = change;
    const text = messageText(message).replace(/(?![\n\t])\p{Cc}/gu, '?');
    if (text === '' || shown.get(message.ts) === text) return;
    shown.set(message.ts, text);
    const indent = message.thread_ts !== undefined && message.thread_ts !== message.ts ? '      ' : '  ';
    const mark =
      change.kind === 'update' ? '(edited) ' : change.kind === 'ephemeral' ? '(only visible to the asker) ' : '';
    text.split('\n').forEach((line, index) => {
      print(`${indent}${index === 0 ? mark : ''}${line}`);
    });
    print('');
  };
};
