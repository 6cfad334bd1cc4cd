import { h, link } from './dom.js';
import { emoji } from './emoji.js';

/** A `rich_text` block as nodes. */
export function richText(block, names) {
  return block.elements.map((element) => part(element, names));
}

function part(element, names) {
  const children = () => element.elements.map((each) => leaf(each, names));
  switch (element.type) {
    case 'rich_text_section':
      return h('div', { class: 'rich' }, children());
    case 'rich_text_preformatted':
      return h(
        'pre',
        { class: 'code' },
        element.elements.map((each) => each.text ?? each.url),
      );
    case 'rich_text_quote':
      return h('blockquote', { class: 'rich' }, children());
    case 'rich_text_list': {
      const items = element.elements.map((section) =>
        h(
          'li',
          {},
          section.elements.map((each) => leaf(each, names)),
        ),
      );
      const list = h(element.style === 'ordered' ? 'ol' : 'ul', {}, items);
      list.style.marginLeft = `${(element.indent ?? 0) * 1.5}em`;
      return list;
    }
    default:
      return null;
  }
}

function leaf(element, names) {
  const { style = {} } = element;
  let node = bare(element, names);
  if (style.code) node = h('code', {}, node);
  if (style.strike) node = h('s', {}, node);
  if (style.underline) node = h('u', {}, node);
  if (style.italic) node = h('em', {}, node);
  if (style.bold) node = h('strong', {}, node);
  return node;
}

function bare(element, names) {
  const mention = (name) => h('span', { class: 'mention' }, name);
  switch (element.type) {
    case 'text':
      return h('span', {}, element.text);
    case 'link':
      return link(element.url, element.text ?? element.url);
    case 'emoji':
      return h('span', {}, emoji(element.name) ?? `:${element.name}:`);
    case 'user':
      return mention(`@${names.user(element.user_id)}`);
    case 'channel':
      return mention(`#${names.channel(element.channel_id)}`);
    case 'usergroup':
      return mention(`@${names.usergroup(element.usergroup_id)}`);
    case 'broadcast':
      return mention(`@${element.range}`);
    case 'date':
      return h('time', {}, element.fallback ?? new Date(element.timestamp * 1000).toLocaleString());
    case 'color':
      return h('code', {}, element.value);
    default:
      return h('span', {}, element.fallback ?? '');
  }
}
