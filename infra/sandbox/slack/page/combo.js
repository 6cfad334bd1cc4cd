import { h, newId } from './dom.js';
import { plainText } from './mrkdwn.js';

/** A menu whose options the app offers for what is typed. `actNow` tells the app of a choice, where it is told at once. */
export function externalMenu(it, context, actNow) {
  const list = h('ul', { id: newId('options'), role: 'listbox', hidden: true });
  const chosen = context.value?.selected_option;
  let waiting;
  let marked = 0;
  const show = (visible) => {
    list.hidden = !visible;
    input.setAttribute('aria-expanded', String(visible));
  };
  const choose = (option) => {
    input.value = plainText(option.text.text);
    input.dataset.value = option.value;
    show(false);
    if (context.act !== undefined) void actNow(it, context, option.value, input);
  };
  const mark = (index) => {
    const rows = [...list.querySelectorAll('[role="option"]')];
    marked = Math.max(0, Math.min(rows.length - 1, index));
    for (const [at, row] of rows.entries()) row.setAttribute('aria-selected', String(at === marked));
    input.setAttribute('aria-activedescendant', rows[marked]?.id ?? '');
  };
  const offer = async () => {
    const options = await context.suggest(it.action_id, input.value).catch(() => []);
    const rows = options.map((option) => {
      const label = plainText(option.text.text);
      return h('li', { id: newId('option'), role: 'option', onmousedown: () => choose(option) }, label);
    });
    list.replaceChildren(...(rows.length > 0 ? rows : [h('li', { class: 'none' }, 'Nothing found')]));
    show(true);
    mark(0);
  };
  const ask = () => {
    clearTimeout(waiting);
    if (input.value.length >= (it.min_query_length ?? 3)) waiting = setTimeout(offer, 150);
  };
  const keyed = (event) => {
    const row = list.querySelectorAll('[role="option"]')[marked];
    if (event.key === 'ArrowDown' && list.hidden) ask();
    else if (event.key === 'ArrowDown') mark(marked + 1);
    else if (event.key === 'ArrowUp') mark(marked - 1);
    else if (event.key === 'Enter' && !list.hidden && row !== undefined) row.dispatchEvent(new MouseEvent('mousedown'));
    else if (event.key === 'Escape' && !list.hidden) show(false);
    else return;
    event.preventDefault();
  };
  const input = h('input', {
    type: 'text',
    role: 'combobox',
    autocomplete: 'off',
    'data-field': true,
    'data-action': it.action_id,
    'data-value': chosen?.value ?? '',
    'aria-controls': list.id,
    'aria-expanded': 'false',
    'aria-autocomplete': 'list',
    'aria-labelledby': context.label,
    'aria-describedby': context.describedBy,
    'aria-label': context.label === undefined ? plainText(it.placeholder?.text ?? 'Type to search') : null,
    placeholder: plainText(it.placeholder?.text ?? 'Type to search'),
    oninput: () => {
      // What was chosen before is no longer what stands there.
      input.dataset.value = '';
      ask();
    },
    onclick: ask,
    onblur: () => show(false),
    onkeydown: keyed,
  });
  input.value = plainText(chosen?.text.text ?? '');
  return h('div', { class: 'combo' }, input, list);
}
