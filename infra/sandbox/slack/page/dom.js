/**
 * Makes an element. Texts become text nodes, never markup: what a message holds cannot become part of the page.
 * `on…` properties are listeners, the rest are attributes (`false`, `null` and `undefined` leave them out).
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

export const byId = (id) => document.getElementById(id);

/** An address that a link may have, or undefined: no `javascript:` and the like. */
export function safeUrl(url) {
  return /^(https?:\/\/|mailto:)/i.test(url) ? url : undefined;
}

/** A link that opens beside the page, or its label alone when the address is none. */
export function link(url, ...label) {
  const href = safeUrl(url);
  return href === undefined
    ? h('span', {}, ...label)
    : h('a', { href, target: '_blank', rel: 'noopener noreferrer' }, ...label);
}

let lastId = 0;

/** An id that no other element has. */
export function newId(prefix) {
  lastId += 1;
  return `${prefix}-${lastId}`;
}
