import { h, newId } from './dom.js';

/**
 * A box to type in. `send(text)` is called with what was typed; the box is emptied when that succeeds. Enter sends, Shift and
 * Enter begin a line.
 */
export function composer(form, { label, send }) {
  const hint = newId('hint');
  const box = h('textarea', {
    rows: 1,
    'aria-describedby': hint,
    onkeydown: (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    },
    oninput: () => grow(box),
  });
  const note = h('p', { id: hint, class: 'hint' });
  const submit = async (event) => {
    event.preventDefault();
    const text = box.value;
    if (text.trim() === '') return;
    box.value = '';
    grow(box);
    try {
      await send(text);
    } catch (error) {
      box.value = text;
      grow(box);
      throw error;
    }
  };
  form.addEventListener('submit', submit);
  form.replaceChildren(
    h('div', { class: 'box' }, box, h('button', { class: 'button primary send', 'aria-label': 'Send' }, 'Send')),
    note,
  );
  return {
    focus: () => box.focus(),
    describe(name, text) {
      box.setAttribute('aria-label', `${label} ${name}`);
      box.placeholder = `${label} ${name}`;
      note.textContent = text;
    },
  };
}

function grow(box) {
  box.style.height = 'auto';
  box.style.height = `${Math.min(box.scrollHeight, 240)}px`;
}
