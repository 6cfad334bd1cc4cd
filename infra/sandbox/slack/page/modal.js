import { blocks } from './blocks.js';
import { h, newId } from './dom.js';
import { givenIn } from './elements.js';
import { plainText } from './mrkdwn.js';

/**
 * Shows the modal on top of a person's stack. `context` as in elements.js, with `submit(values)`, which resolves with what
 * became of it, and `close()`.
 */
export function modalHost(makeContext) {
  let dialog;
  let current;

  function hide() {
    const old = dialog;
    dialog = undefined;
    current = undefined;
    old?.close();
    old?.remove();
  }

  function show(view, errors) {
    const same = current?.id === view.id;
    const kept = same ? typedIn(dialog) : {};
    const searched = same ? searchedIn(dialog) : {};
    const focused = dialog?.contains(document.activeElement) ? document.activeElement.dataset.action : undefined;
    hide();
    current = view;
    const context = makeContext();
    const values = mergeTyped(view, kept, searched);
    const title = newId('modal');
    const message = h('p', { class: 'error', role: 'alert' });
    dialog = h(
      'dialog',
      { class: 'modal', 'aria-labelledby': title },
      h(
        'form',
        { novalidate: true, onsubmit: (event) => submit(event, view, context, message) },
        h('h2', { id: title }, plainText(view.title?.text ?? '')),
        h('div', { class: 'body' }, blocks(view.blocks, { ...context, values, errors }), message),
        h(
          'footer',
          {},
          h(
            'button',
            { type: 'button', class: 'button', onclick: () => context.close() },
            plainText(view.close?.text ?? 'Cancel'),
          ),
          view.submit === null ? null : h('button', { class: 'button primary' }, plainText(view.submit.text)),
        ),
      ),
    );
    dialog.addEventListener('cancel', (event) => {
      event.preventDefault();
      context.close();
    });
    document.body.append(dialog);
    dialog.showModal();
    if (focused !== undefined) dialog.querySelector(`[data-action="${CSS.escape(focused)}"]`)?.focus();
  }

  async function submit(event, view, context, message) {
    event.preventDefault();
    const values = typedIn(dialog);
    message.textContent = '';
    const { result } = await context.submit(values).catch(() => ({ result: { ok: false } }));
    if (result.ok || current?.id !== view.id) return;
    if (result.errors !== undefined) show(view, result.errors);
    else message.textContent = 'We had some trouble connecting. Try again?';
  }

  return (view) => {
    if (view === null) hide();
    else if (current?.hash !== view.hash) show(view);
  };
}

/** What stands in the inputs, by block id. */
function typedIn(dialog) {
  const wrappers = [...(dialog?.querySelectorAll('[data-block]') ?? [])];
  return Object.fromEntries(wrappers.map((wrapper) => [wrapper.dataset.block, givenIn(wrapper)]));
}

/** The words that stand in menus that search, by block id: what was chosen there is in no list of the view's. */
function searchedIn(dialog) {
  const wrappers = [...(dialog?.querySelectorAll('[data-block][data-kind="external_select"]') ?? [])];
  return Object.fromEntries(wrappers.map((wrapper) => [wrapper.dataset.block, wrapper.querySelector('input').value]));
}

/** The state of a view with what was typed meanwhile, so that new content takes nothing away. */
function mergeTyped(view, typed, searched) {
  const values = structuredClone(view.state.values);
  for (const [blockId, given] of Object.entries(typed)) {
    for (const value of Object.values(values[blockId] ?? {})) {
      if (/input$/.test(value.type)) value.value = given;
      else if (/^(multi_|checkboxes)/.test(value.type)) value.selected_options = (given ?? []).map(asOption);
      else if (given !== null && value.type === 'external_select') {
        value.selected_option = { ...asOption(given), text: { type: 'plain_text', text: searched[blockId] ?? given } };
      } else if (given !== null) Object.assign(value, chosen(value.type, given));
    }
  }
  return values;
}

const asOption = (value) => ({ text: { type: 'plain_text', text: value }, value });

function chosen(type, given) {
  if (type === 'users_select') return { selected_user: given };
  if (type === 'channels_select') return { selected_channel: given };
  return { selected_option: asOption(given) };
}
