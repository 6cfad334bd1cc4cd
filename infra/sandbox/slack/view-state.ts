import type { Block } from './blocks/index.ts';
import type { ChosenOption, StateValue, StateValues } from './types.ts';

/** What a person gives for one element: a text, an option's value, a user or channel id, several of these, or nothing. */
export type Given = string | string[] | null;

type ElementOf<B> = B extends { type: 'actions'; elements: (infer E)[] }
  ? E
  : B extends { type: 'input'; element: infer E }
    ? E
    : B extends { type: 'section'; accessory?: infer E }
      ? NonNullable<E>
      : never;

/** An element that a person can act on. */
export type ActiveElement = Exclude<ElementOf<Block>, { type: 'image' }>;

export interface PlacedElement {
  blockId: string;
  actionId: string;
  element: ActiveElement;
  /** For an `input` block that must be filled in. */
  required: boolean;
  /** Whether acting on it is told to the app at once. */
  dispatches: boolean;
}

/** All active elements of some blocks, with the ids that withIds gave them. */
export function elementsIn(blocks: Block[]): PlacedElement[] {
  return blocks.flatMap((block): PlacedElement[] => {
    const place = (element: ActiveElement, required: boolean, dispatches: boolean): PlacedElement => ({
      blockId: block.block_id ?? '',
      actionId: element.action_id ?? '',
      element,
      required,
      dispatches,
    });
    if (block.type === 'actions') return block.elements.map((element) => place(element, false, true));
    if (block.type === 'input') {
      return [place(block.element, block.optional !== true, block.dispatch_action === true)];
    }
    if (block.type === 'section' && block.accessory !== undefined && block.accessory.type !== 'image') {
      return [place(block.accessory, false, true)];
    }
    return [];
  });
}

/** The state of a view before anybody has touched it: the initial values. */
export function initialState(blocks: Block[]): StateValues {
  const values: StateValues = {};
  for (const { blockId, actionId, element } of elementsIn(blocks)) {
    if (element.type === 'button' || element.type === 'overflow') continue;
    values[blockId] = { ...values[blockId], [actionId]: initialValue(element) };
  }
  return values;
}

function initialValue(element: ActiveElement): StateValue {
  const { type } = element;
  switch (type) {
    case 'plain_text_input':
    case 'number_input':
      return { type, value: element.initial_value ?? null };
    case 'static_select':
    case 'external_select':
    case 'radio_buttons':
      return { type, selected_option: element.initial_option ?? null };
    case 'multi_static_select':
    case 'checkboxes':
      return { type, selected_options: element.initial_options ?? [] };
    case 'users_select':
      return { type, selected_user: element.initial_user ?? null };
    case 'channels_select':
      return { type, selected_channel: element.initial_channel ?? null };
    default:
      return { type };
  }
}

/**
 * The state of an element after a person gave it something. `suggested` are the options of an external menu. Throws when the
 * element has no such option.
 */
export function valueFrom(element: ActiveElement, given: Given, suggested: ChosenOption[] = []): StateValue {
  const { type } = element;
  const one = Array.isArray(given) ? (given[0] ?? null) : given;
  switch (type) {
    case 'plain_text_input':
    case 'number_input':
      return { type, value: one };
    case 'static_select':
    case 'radio_buttons':
    case 'overflow':
    case 'external_select': {
      const options = type === 'external_select' ? suggested : optionsOf(element);
      return { type, selected_option: one === null ? null : pick(options, one) };
    }
    case 'multi_static_select':
    case 'checkboxes': {
      const wanted = given === null ? [] : Array.isArray(given) ? given : [given];
      return { type, selected_options: wanted.map((value) => pick(optionsOf(element), value)) };
    }
    case 'users_select':
      return { type, selected_user: one };
    case 'channels_select':
      return { type, selected_channel: one };
    default:
      return { type, value: one };
  }
}

function optionsOf(element: ActiveElement): ChosenOption[] {
  const groups = 'option_groups' in element ? (element.option_groups ?? []) : [];
  const own = 'options' in element ? (element.options ?? []) : [];
  return [...own, ...groups.flatMap((group) => group.options)];
}

function pick(options: ChosenOption[], value: string): ChosenOption {
  const found = options.find((option) => option.value === value);
  if (found === undefined) throw new Error(`there is no option ${value}`);
  return found;
}

/** Whether a person has left the element empty. */
export function isEmpty(value: StateValue | undefined): boolean {
  if (value === undefined) return true;
  const lists = [value.selected_options, value.selected_users];
  const single = [value.value, value.selected_option, value.selected_user, value.selected_channel];
  return lists.every((list) => (list ?? []).length === 0) && single.every((each) => (each ?? '') === '');
}
