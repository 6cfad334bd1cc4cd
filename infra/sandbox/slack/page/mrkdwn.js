import { h, link } from './dom.js';
import { emoji } from './emoji.js';

/**
 * Slack's mrkdwn as nodes: code blocks first, then quotes by line, then what stands within a line. `names` turns ids of
 * people, channels and groups into names.
 */
export function mrkdwn(text, names) {
  const parts = text.split(/```([\s\S]+?)```/);
  return parts.flatMap((part, index) => {
    if (index % 2 === 1) return [h('pre', { class: 'code' }, unescapeText(linkTexts(part.replace(/^\n|\n$/g, ''))))];
    // The line break beside a code block is the block's own.
    const trimmed = part.replace(index > 0 ? /^\n/ : /^$/, '').replace(index < parts.length - 1 ? /\n$/ : /$^/, '');
    return trimmed === '' ? [] : paragraphs(trimmed, names);
  });
}

/** Text with Slack's escapes undone and its short names shown; nothing else means anything in it. */
export function plainText(text) {
  return withEmoji(unescapeText(text));
}

export function unescapeText(text) {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}

function withEmoji(text) {
  return text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => emoji(name) ?? whole);
}

/** Links keep only what would be read, as in a code block. */
function linkTexts(text) {
  return text.replace(/<(https?:[^|>]+)(?:\|([^>]*))?>/g, (_whole, url, label) => label ?? url);
}

function paragraphs(text, names) {
  const nodes = [];
  let quote;
  text.split('\n').forEach((line, index, lines) => {
    const quoted = /^(?:&gt;|>)\s?(.*)$/.exec(line);
    if (quoted !== null) {
      if (quote === undefined) {
        quote = h('blockquote');
        nodes.push(quote);
      } else {
        quote.append(h('br'));
      }
      quote.append(...inline(quoted[1], names));
      return;
    }
    const afterQuote = quote !== undefined;
    quote = undefined;
    if (index > 0 && !afterQuote) nodes.push(h('br'));
    nodes.push(...inline(line, names));
    if (index === lines.length - 1) return;
  });
  return nodes;
}

const STYLES = { '*': 'strong', _: 'em', '~': 's' };
const isWord = (character) => character !== undefined && /[\p{L}\p{N}]/u.test(character);
const isSpace = (character) => character === undefined || /\s/.test(character);

/** The nodes of one line. */
function inline(text, names) {
  const nodes = [];
  let pending = '';
  const flush = () => {
    if (pending !== '') nodes.push(plainText(pending));
    pending = '';
  };
  let index = 0;
  while (index < text.length) {
    const found =
      codeAt(text, index) ?? entityAt(text, index, names) ?? addressAt(text, index) ?? styledAt(text, index, names);
    if (found === undefined) {
      pending += text[index];
      index += 1;
      continue;
    }
    flush();
    nodes.push(found.node);
    index = found.end;
  }
  flush();
  return nodes;
}

function codeAt(text, index) {
  if (text[index] !== '`') return undefined;
  const end = text.indexOf('`', index + 1);
  if (end <= index + 1) return undefined;
  return { node: h('code', {}, unescapeText(linkTexts(text.slice(index + 1, end)))), end: end + 1 };
}

function entityAt(text, index, names) {
  if (text[index] !== '<') return undefined;
  const end = text.indexOf('>', index);
  if (end < 0) return undefined;
  const node = entity(text.slice(index + 1, end), names);
  return node === undefined ? undefined : { node, end: end + 1 };
}

/** A bare address, which Slack makes a link; what ends a sentence does not belong to it. */
function addressAt(text, index) {
  if (text[index] !== 'h' || isWord(text[index - 1])) return undefined;
  const found = /^https?:\/\/[^\s<>|`]+/.exec(text.slice(index))?.[0].replace(/(&gt;|&lt;|[.,;:!?)\]'"*_~])+$/, '');
  if (found === undefined) return undefined;
  const url = unescapeText(found);
  return { node: link(url, url), end: index + found.length };
}

function entity(inner, names) {
  const bar = inner.indexOf('|');
  const target = bar < 0 ? inner : inner.slice(0, bar);
  const label = bar < 0 ? undefined : plainText(inner.slice(bar + 1));
  const mention = (name) => h('span', { class: 'mention' }, name);
  if (target.startsWith('@')) return mention(`@${names.user(target.slice(1))}`);
  if (target.startsWith('#')) return mention(`#${label || names.channel(target.slice(1))}`);
  if (target.startsWith('!subteam^')) return mention(label ?? `@${names.usergroup(target.slice(9))}`);
  if (target.startsWith('!date^')) return date(target, label);
  if (/^!(here|channel|everyone)$/.test(target)) return mention(`@${target.slice(1)}`);
  if (/^(https?:|mailto:)/i.test(target)) return link(unescapeText(target), label ?? unescapeText(target));
  return undefined;
}

function date(target, fallback) {
  const [, seconds, format = ''] = target.split('^');
  const when = new Date(Number(seconds) * 1000);
  if (Number.isNaN(when.getTime())) return h('span', {}, fallback ?? '');
  const text = format
    .replace(/\{date[a-z_]*\}/g, when.toLocaleDateString())
    .replace('{time_secs}', when.toLocaleTimeString())
    .replace('{time}', when.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }));
  return h('time', { datetime: when.toISOString() }, text);
}

function styledAt(text, index, names) {
  const marker = text[index];
  const tag = STYLES[marker];
  if (tag === undefined || isWord(text[index - 1]) || isSpace(text[index + 1]) || text[index + 1] === marker) {
    return undefined;
  }
  for (let end = text.indexOf(marker, index + 2); end > 0; end = text.indexOf(marker, end + 1)) {
    if (isSpace(text[end - 1]) || isWord(text[end + 1]) || text[end + 1] === marker) continue;
    return { node: h(tag, {}, inline(text.slice(index + 1, end), names)), end: end + 1 };
  }
  return undefined;
}
