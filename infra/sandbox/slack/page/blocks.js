import { h, link, newId } from './dom.js';
import { element } from './elements.js';
import { markdown } from './markdown.js';
import { mrkdwn, plainText } from './mrkdwn.js';
import { richText } from './rich-text.js';

/** Blocks as nodes. `context` as in elements.js, with `values`, the state of a view, and `errors` by block id. */
export function blocks(list, context) {
  return list.map((block) => {
    const make = MAKERS[block.type];
    const node = make === undefined ? h('p', { class: 'unknown' }, `(${block.type})`) : make(block, context);
    node.classList.add('block', `block-${block.type}`);
    return node;
  });
}

const textOf = (text, context) => (text.type === 'mrkdwn' ? mrkdwn(text.text, context.names) : plainLines(text.text));

function plainLines(text) {
  return plainText(text)
    .split('\n')
    .flatMap((line, index) => (index === 0 ? [line] : [h('br'), line]));
}

const MAKERS = {
  section: (block, context) =>
    h(
      'div',
      {},
      h(
        'div',
        { class: 'text' },
        block.text === undefined ? null : h('div', {}, textOf(block.text, context)),
        block.fields === undefined
          ? null
          : h(
              'div',
              { class: 'fields' },
              block.fields.map((field) => h('div', {}, textOf(field, context))),
            ),
      ),
      block.accessory === undefined ? null : h('div', { class: 'accessory' }, part(block, block.accessory, context)),
    ),
  header: (block) => h('h3', {}, plainText(block.text.text)),
  divider: () => h('hr'),
  context: (block, context) =>
    h(
      'div',
      {},
      block.elements.map((each) => h('span', {}, contextPart(each, context))),
    ),
  actions: (block, context) =>
    h(
      'div',
      {},
      block.elements.map((each) => part(block, each, context)),
    ),
  image: (block) => placeholder(block),
  markdown: (block) => h('div', {}, markdown(block.text)),
  rich_text: (block, context) => h('div', {}, richText(block, context.names)),
  table,
  input,
};

function contextPart(it, context) {
  return it.type === 'image' ? placeholder(it) : textOf(it, context);
}

/** Pictures are not fetched: the page talks to nobody but its own server. */
function placeholder(it) {
  const title = it.title === undefined ? '' : `${plainText(it.title.text)}: `;
  return h('span', { class: 'image' }, link(it.image_url, `Image: ${title}${it.alt_text}`));
}

function part(block, it, context) {
  if (it.type === 'image') return placeholder(it);
  const value = context.values?.[block.block_id]?.[it.action_id];
  const wrapper = h('span', { class: 'element' }, element(it, { ...context, value }));
  wrapper.dataset.kind = it.type;
  return wrapper;
}

function table(block, context) {
  const align = (column) => {
    const settings = block.column_settings?.[column] ?? {};
    return `${settings.align ?? 'left'}${settings.is_wrapped ? ' wrapped' : ''}`;
  };
  const cell = (it) => (it.type === 'rich_text' ? richText(it, context.names) : it.text);
  const rows = block.rows.map((row, index) => {
    const tag = index === 0 ? 'th' : 'td';
    return h(
      'tr',
      {},
      row.map((it, column) => h(tag, { class: align(column), scope: index === 0 ? 'col' : null }, cell(it))),
    );
  });
  return h('div', { class: 'table' }, h('table', {}, h('thead', {}, rows.slice(0, 1)), h('tbody', {}, rows.slice(1))));
}

function input(block, context) {
  const label = newId('label');
  const error = context.errors?.[block.block_id];
  const describedBy = error === undefined && block.hint === undefined ? undefined : newId('note');
  const value = context.values?.[block.block_id]?.[block.element.action_id];
  const tells = block.dispatch_action === true;
  const inner = element(block.element, { ...context, value, label, describedBy, act: tells ? context.act : undefined });
  const wrapper = h(
    'div',
    { class: error === undefined ? '' : 'wrong' },
    h(
      'div',
      { id: label, class: 'label' },
      plainText(block.label.text),
      block.optional ? h('small', {}, ' (optional)') : null,
    ),
    inner,
    error === undefined ? null : h('div', { id: describedBy, class: 'error', role: 'alert' }, error),
    error !== undefined || block.hint === undefined
      ? null
      : h('div', { id: describedBy, class: 'hint' }, plainText(block.hint.text)),
  );
  wrapper.dataset.kind = block.element.type;
  wrapper.dataset.block = block.block_id;
  return wrapper;
}
