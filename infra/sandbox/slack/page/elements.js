import { externalMenu } from './combo.js';
import { h, newId } from './dom.js';
import { mrkdwn, plainText } from './mrkdwn.js';

/**
 * One interactive element. `context` says what happens: `act(actionId, given)` tells the app at once (absent in an input
 * block of a modal), `suggest(actionId, typed)` asks for the options of an external menu, `value` is the state so far,
 * `label` the id of the element's label.
 */
export function element(it, context) {
  const make = MAKERS[it.type];
  return make === undefined ? h('em', { class: 'unknown' }, `(${it.type})`) : make(it, context);
}

/** What has been given to an element inside `root`, by block id and action id of its wrapper. */
export function givenIn(wrapper) {
  const fields = [...wrapper.querySelectorAll('[data-field]')];
  const kind = wrapper.dataset.kind;
  if (kind === 'checkboxes') return fields.filter((field) => field.checked).map((field) => field.value);
  if (kind === 'multi_static_select') return [...fields[0].selectedOptions].map((option) => option.value);
  if (kind === 'radio_buttons') return fields.find((field) => field.checked)?.value ?? null;
  if (kind === 'external_select') return fields[0].dataset.value || null;
  const value = fields[0]?.value ?? '';
  return value === '' ? null : value;
}

const MAKERS = {
  button,
  static_select: menu,
  multi_static_select: menu,
  overflow: menu,
  users_select: menu,
  channels_select: menu,
  external_select: (it, context) => externalMenu(it, context, actNow),
  radio_buttons: choices,
  checkboxes: choices,
  plain_text_input: textInput,
  number_input: textInput,
};

/** A dialog that asks; resolves with whether the person agreed. */
export function confirmed(confirm, names) {
  if (confirm === undefined) return Promise.resolve(true);
  return new Promise((resolve) => {
    const heading = newId('confirm');
    const text = confirm.text.type === 'mrkdwn' ? mrkdwn(confirm.text.text, names) : plainText(confirm.text.text);
    const dialog = h(
      'dialog',
      { class: 'modal confirm', 'aria-labelledby': heading },
      h(
        'form',
        { method: 'dialog' },
        h('h2', { id: heading }, plainText(confirm.title?.text ?? 'Are you sure?')),
        h('div', { class: 'body' }, text),
        h(
          'footer',
          {},
          h('button', { class: 'button', value: 'no' }, plainText(confirm.deny?.text ?? 'Cancel')),
          h(
            'button',
            { class: `button ${confirm.style ?? 'primary'}`, value: 'yes' },
            plainText(confirm.confirm?.text ?? 'Yes'),
          ),
        ),
      ),
    );
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

async function actNow(it, context, given, control) {
  if (!(await confirmed(it.confirm, context.names))) return;
  if (it.url) window.open(it.url, '_blank', 'noopener');
  control?.setAttribute('aria-busy', 'true');
  try {
    await context.act(it.action_id, given);
  } finally {
    control?.removeAttribute('aria-busy');
  }
}

function button(it, context) {
  return h(
    'button',
    {
      type: 'button',
      class: `button ${it.style ?? ''}`,
      'data-action': it.action_id,
      'aria-label': it.accessibility_label,
      onclick: (event) => actNow(it, context, it.value ?? null, event.currentTarget),
    },
    plainText(it.text.text),
  );
}

function optionsOf(it, context) {
  const option = ({ text, value }) => h('option', { value }, plainText(text.text));
  if (it.type === 'users_select') return context.users.map(({ id, realName }) => h('option', { value: id }, realName));
  if (it.type === 'channels_select')
    return context.channels.map(({ id, name }) => h('option', { value: id }, `#${name}`));
  const groups = (it.option_groups ?? []).map(({ label, options }) => {
    return h('optgroup', { label: plainText(label.text) }, options.map(option));
  });
  return [...(it.options ?? []).map(option), ...groups];
}

function chosenValues({ value }) {
  if (value === undefined) return [];
  const many = value.selected_options?.map((option) => option.value);
  return many ?? [value.selected_option?.value ?? value.selected_user ?? value.selected_channel ?? ''];
}

function menu(it, context) {
  const multiple = it.type.startsWith('multi_');
  const placeholder = it.type === 'overflow' ? '⋯' : (it.placeholder?.text ?? 'Choose an option');
  const select = h(
    'select',
    {
      multiple,
      'data-field': true,
      'data-action': it.action_id,
      'aria-labelledby': context.label,
      'aria-label': context.label === undefined ? plainText(it.placeholder?.text ?? 'More options') : null,
      onchange: (event) => {
        if (context.act === undefined) return;
        const control = event.currentTarget;
        const given = multiple ? [...control.selectedOptions].map((option) => option.value) : control.value;
        if (given !== '') void actNow(it, context, given, control);
      },
    },
    multiple ? [] : h('option', { value: '' }, plainText(placeholder)),
    optionsOf(it, context),
  );
  for (const value of chosenValues(context)) {
    const option = [...select.options].find((each) => each.value === value);
    if (option !== undefined) option.selected = true;
  }
  return select;
}

function choices(it, context) {
  const name = newId('choice');
  const values = chosenValues(context);
  const single = it.type === 'radio_buttons';
  const rows = it.options.map(({ text, value, description }) => {
    const field = h('input', { type: single ? 'radio' : 'checkbox', name, value, 'data-field': true });
    field.checked = values.includes(value);
    const label = text.type === 'mrkdwn' ? mrkdwn(text.text, context.names) : plainText(text.text);
    const note = description === undefined ? null : h('small', {}, plainText(description.text));
    return h('label', { class: 'choice' }, field, h('span', {}, label, note));
  });
  const changed = (event) => {
    if (context.act === undefined) return;
    const fields = [...event.currentTarget.querySelectorAll('input')].filter((field) => field.checked);
    const given = fields.map((field) => field.value);
    void actNow(it, context, single ? (given[0] ?? null) : given);
  };
  return h('div', { role: single ? 'radiogroup' : 'group', 'aria-labelledby': context.label, onchange: changed }, rows);
}

function textInput(it, context) {
  const common = {
    'data-field': true,
    'data-action': it.action_id,
    'aria-labelledby': context.label,
    'aria-describedby': context.describedBy,
    placeholder: it.placeholder === undefined ? null : plainText(it.placeholder.text),
    maxlength: it.max_length,
    minlength: it.min_length,
  };
  const input =
    it.multiline === true
      ? h('textarea', { ...common, rows: 4 })
      : h('input', { ...common, type: 'text', inputmode: it.type === 'number_input' ? 'decimal' : null });
  input.value = context.value?.value ?? '';
  return input;
}
