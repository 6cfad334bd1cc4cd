import { h, link } from './dom.js';
import { plainText } from './mrkdwn.js';

/** Standard Markdown as nodes, as the `markdown` block shows it: headings, lists, tables, quotes, code, links, styles. */
export function markdown(text) {
  const lines = text.split('\n');
  const nodes = [];
  let at = 0;
  while (at < lines.length) {
    const block = fence(lines, at) ?? table(lines, at) ?? list(lines, at) ?? quote(lines, at) ?? single(lines[at], at);
    if (block !== undefined) nodes.push(block.node);
    at = block?.end ?? at + 1;
    if (block !== undefined) continue;
  }
  return nodes;
}

function fence(lines, from) {
  const mark = /^\s*(```|~~~)/.exec(lines[from])?.[1];
  if (mark === undefined) return undefined;
  let end = from + 1;
  while (end < lines.length && !lines[end].trim().startsWith(mark)) end += 1;
  return { node: h('pre', { class: 'code' }, lines.slice(from + 1, end).join('\n')), end: end + 1 };
}

const cellsOf = (line) =>
  line
    .trim()
    .replace(/^\||\|$/g, '')
    .split('|')
    .map((cell) => cell.trim());

function table(lines, from) {
  const next = lines[from + 1] ?? '';
  if (!lines[from].includes('|') || !/^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/.test(next)) return undefined;
  let end = from + 2;
  while (end < lines.length && lines[end].includes('|')) end += 1;
  const head = h(
    'tr',
    {},
    cellsOf(lines[from]).map((cell) => h('th', { scope: 'col' }, inline(cell))),
  );
  const rows = lines.slice(from + 2, end).map((line) =>
    h(
      'tr',
      {},
      cellsOf(line).map((cell) => h('td', {}, inline(cell))),
    ),
  );
  return { node: h('div', { class: 'table' }, h('table', {}, h('thead', {}, head), h('tbody', {}, rows))), end };
}

const ITEM = /^(\s*)([-*+]|\d+[.)])\s+(.*)$/;

function list(lines, from) {
  const first = ITEM.exec(lines[from]);
  if (first === null) return undefined;
  const items = [];
  let end = from;
  for (let item = first; item !== null; item = ITEM.exec(lines[end] ?? '')) {
    items.push(h('li', { class: item[1].length > 1 ? 'nested' : null }, inline(item[3])));
    end += 1;
  }
  return { node: h(/\d/.test(first[2]) ? 'ol' : 'ul', {}, items), end };
}

function quote(lines, from) {
  let end = from;
  while (end < lines.length && /^\s*>/.test(lines[end])) end += 1;
  if (end === from) return undefined;
  const inner = lines.slice(from, end).map((line) => line.replace(/^\s*>\s?/, ''));
  return { node: h('blockquote', {}, markdown(inner.join('\n'))), end };
}

function single(line, at) {
  if (line.trim() === '') return undefined;
  const heading = /^(#{1,6})\s+(.*)$/.exec(line);
  if (heading !== null)
    return { node: h('p', { class: `heading level-${heading[1].length}` }, inline(heading[2])), end: at + 1 };
  if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(line)) return { node: h('hr'), end: at + 1 };
  return { node: h('p', {}, inline(line)), end: at + 1 };
}

const RULES = [
  [/^`([^`]+)`/, (found) => h('code', {}, found[1])],
  [/^\*\*([^\s*](?:.*?[^\s])?)\*\*/, (found) => h('strong', {}, inline(found[1]))],
  [/^~~(\S(?:.*?\S)?)~~/, (found) => h('s', {}, inline(found[1]))],
  [/^\*([^\s*](?:[^*]*[^\s*])?)\*/, (found) => h('em', {}, inline(found[1]))],
  [/^_([^\s_](?:[^_]*[^\s_])?)_(?![\p{L}\p{N}])/u, (found) => h('em', {}, inline(found[1]))],
  [/^\[([^\]]*)\]\(([^\s)]+)\)/, (found) => link(found[2], inline(found[1]))],
  [/^(https?:\/\/[^\s<>)]+)/, (found) => link(found[1], found[1])],
];

function inline(text) {
  const nodes = [];
  let pending = '';
  let at = 0;
  while (at < text.length) {
    const rest = text.slice(at);
    const afterWord = /[\p{L}\p{N}]/u.test(text[at - 1] ?? '');
    const hit = RULES.map(([pattern, make]) => ({ found: pattern.exec(rest), make })).find(({ found }) => {
      return found !== null && !(afterWord && /^[_h]/.test(found[0]));
    });
    if (hit === undefined) {
      pending += text[at];
      at += 1;
      continue;
    }
    if (pending !== '') nodes.push(plainText(pending));
    pending = '';
    nodes.push(hit.make(hit.found));
    at += hit.found[0].length;
  }
  if (pending !== '') nodes.push(plainText(pending));
  return nodes;
}
