import { blocks } from './blocks.js';
import { h } from './dom.js';
import { emoji } from './emoji.js';
import { mrkdwn } from './mrkdwn.js';

const TIME = { hour: '2-digit', minute: '2-digit' };
const timeOf = (ts) => new Date(Number(ts) * 1000);

/** Keeps the nodes of a list of messages: only those that changed are made anew, and who reads the end stays there. */
export function messageList(container, makeContext) {
  const shown = new Map();
  return (messages, options = {}) => {
    const atEnd = container.scrollHeight - container.scrollTop - container.clientHeight < 80;
    const wanted = messages.map((message) => {
      const key = `${message.ts} ${message.ephemeral_to ?? ''}`;
      const version = JSON.stringify([message, options]);
      const known = shown.get(key);
      if (known?.version === version) return known.node;
      const node = messageNode(message, makeContext(message), options);
      shown.set(key, { version, node });
      return node;
    });
    reconcile(container, wanted);
    if (atEnd || options.toEnd) container.scrollTop = container.scrollHeight;
  };
}

/** Makes the children these nodes, touching none that is already in its place: focus and open menus in them stay. */
function reconcile(container, wanted) {
  const stays = new Set(wanted);
  const active = document.activeElement;
  const holder = active?.closest('[data-ts]');
  const focused = holder?.parentElement === container ? { ts: holder.dataset.ts, action: active.dataset.action } : {};
  for (const child of [...container.children]) if (!stays.has(child)) child.remove();
  let cursor = container.firstElementChild;
  for (const node of wanted) {
    if (node === cursor) cursor = cursor.nextElementSibling;
    else container.insertBefore(node, cursor);
  }
  if (focused.action === undefined || active.isConnected) return;
  container.querySelector(`[data-ts="${focused.ts}"] [data-action="${CSS.escape(focused.action)}"]`)?.focus();
}

function messageNode(message, context, options) {
  const author = context.author(message);
  const when = timeOf(message.ts);
  const isPrivate = message.ephemeral_to !== undefined;
  return h(
    'article',
    {
      class: `message ${isPrivate ? 'private' : ''}`,
      'data-ts': message.ts,
      'aria-label': `Message from ${author.name}`,
    },
    h('div', { class: `avatar hue-${author.hue}`, 'aria-hidden': 'true' }, author.initials),
    h(
      'div',
      { class: 'content' },
      isPrivate ? h('p', { class: 'only-you' }, 'Only visible to you') : null,
      h(
        'p',
        { class: 'byline' },
        h('strong', {}, author.name),
        author.isBot ? h('span', { class: 'badge' }, 'APP') : null,
        author.note === undefined ? null : h('span', { class: 'badge' }, author.note),
        h('time', { datetime: when.toISOString(), title: when.toLocaleString() }, when.toLocaleTimeString([], TIME)),
      ),
      body(message, context),
      reactions(message),
      options.inThread ? null : threadLink(message, context),
    ),
    isPrivate || options.inThread ? null : replyButton(message, context),
  );
}

function body(message, context) {
  const hasBlocks = message.blocks !== undefined && message.blocks.length > 0;
  const edited = message.edited === undefined ? null : h('small', { class: 'edited' }, '(edited)');
  const main = hasBlocks
    ? h('div', { class: 'blocks' }, blocks(message.blocks, context))
    : h('div', { class: 'text' }, mrkdwn(message.text, context.names));
  return h(
    'div',
    { class: 'body' },
    hasBlocks || message.text !== '' ? [main, edited] : null,
    (message.attachments ?? []).map((attachment) => attachmentNode(attachment, context)),
    (message.files ?? []).map(fileNode),
  );
}

function attachmentNode(attachment, context) {
  const node = h(
    'div',
    { class: 'attachment' },
    attachment.pretext === undefined ? null : h('div', {}, mrkdwn(attachment.pretext, context.names)),
    attachment.title === undefined ? null : h('strong', {}, attachment.title),
    attachment.blocks === undefined ? null : h('div', { class: 'blocks' }, blocks(attachment.blocks, context)),
    attachment.blocks !== undefined || attachment.text === undefined
      ? null
      : h('div', {}, mrkdwn(attachment.text, context.names)),
  );
  const named = { good: '#2eb67d', warning: '#ecb22e', danger: '#e01e5a' };
  const color = named[attachment.color] ?? attachment.color ?? '';
  if (/^#?[0-9a-f]{6}$/i.test(color)) node.style.borderLeftColor = color.startsWith('#') ? color : `#${color}`;
  return node;
}

export function sizeOf(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

function fileNode(file) {
  const isText = /^(text\/(?!html)|application\/json)/.test(file.mimetype);
  const preview = h('pre', { class: 'preview', hidden: true, tabindex: '0' });
  const toggle = async (event) => {
    const control = event.currentTarget;
    preview.hidden = !preview.hidden;
    control.textContent = preview.hidden ? 'Preview' : 'Hide';
    control.setAttribute('aria-expanded', String(!preview.hidden));
    if (preview.hidden || preview.textContent !== '') return;
    const response = await fetch(`/files/${encodeURIComponent(file.id)}`);
    const text = await response.text();
    preview.textContent = text.length > 20_000 ? `${text.slice(0, 20_000)}\n… the rest is in the file` : text;
  };
  return h(
    'div',
    { class: 'file' },
    h('span', { class: 'file-icon', 'aria-hidden': 'true' }),
    h(
      'span',
      { class: 'file-name' },
      h('strong', {}, file.title),
      h('small', {}, `${file.name} · ${sizeOf(file.size)}`),
    ),
    isText
      ? h('button', { type: 'button', class: 'button small', 'aria-expanded': 'false', onclick: toggle }, 'Preview')
      : null,
    h(
      'a',
      { class: 'button small', href: `/files/${encodeURIComponent(file.id)}?download=1`, download: file.name },
      'Download',
    ),
    preview,
  );
}

function reactions(message) {
  if (!message.reactions?.length) return null;
  return h(
    'p',
    { class: 'reactions' },
    message.reactions.map(({ name, count }) => h('span', {}, `${emoji(name) ?? `:${name}:`} ${count}`)),
  );
}

function threadLink(message, context) {
  if (!message.reply_count) return null;
  const last = timeOf(message.latest_reply).toLocaleTimeString([], TIME);
  const count = `${message.reply_count} ${message.reply_count === 1 ? 'reply' : 'replies'}`;
  const open = () => context.openThread(message);
  return h(
    'button',
    { type: 'button', class: 'thread-link', onclick: open },
    h('strong', {}, count),
    ` · last at ${last}`,
  );
}

function replyButton(message, context) {
  const open = () => context.openThread(message);
  return h('button', { type: 'button', class: 'reply', 'aria-label': 'Reply in thread', onclick: open }, 'Reply');
}
