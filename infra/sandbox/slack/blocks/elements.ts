import { z } from 'zod';
import { AnyOption, Confirm, Id, OptionGroup, Placeholder, PlainOption, PlainText } from './text.ts';

const action_id = Id.optional();
const confirm = Confirm.optional();
const focus_on_load = z.boolean().optional();
const placeholder = Placeholder.optional();
const max_selected_items = z.number().int().min(1).optional();
const dispatch_action_config = z
  .strictObject({
    trigger_actions_on: z.array(z.enum(['on_enter_pressed', 'on_character_entered'])).optional(),
  })
  .optional();
const options = z.array(PlainOption).min(1).max(100).optional();
const option_groups = z.array(OptionGroup).min(1).max(100).optional();

interface HasOptions {
  options?: unknown;
  option_groups?: unknown;
}

/** A static menu has its options or its groups, not both and not neither. */
const eitherOptionsOrGroups = (menu: HasOptions) => (menu.options === undefined) !== (menu.option_groups === undefined);
const WHICH_OPTIONS = 'must provide either options or option_groups';

export const Button = z.strictObject({
  type: z.literal('button'),
  action_id,
  text: PlainText(75),
  value: z.string().max(2000).optional(),
  url: z.string().max(3000).optional(),
  style: z.enum(['primary', 'danger']).optional(),
  confirm,
  accessibility_label: z.string().max(75).optional(),
});

/** An image inside a section or a context, by its address; this Slack knows no `slack_file`. */
export const ImageElement = z.strictObject({
  type: z.literal('image'),
  alt_text: z.string().min(1).max(2000),
  image_url: z.string().min(1).max(3000),
});

export const StaticSelect = z
  .strictObject({
    type: z.literal('static_select'),
    action_id,
    placeholder,
    options,
    option_groups,
    initial_option: PlainOption.optional(),
    confirm,
    focus_on_load,
  })
  .refine(eitherOptionsOrGroups, WHICH_OPTIONS);

export const MultiStaticSelect = z
  .strictObject({
    type: z.literal('multi_static_select'),
    action_id,
    placeholder,
    options,
    option_groups,
    initial_options: z.array(PlainOption).min(1).max(100).optional(),
    max_selected_items,
    confirm,
    focus_on_load,
  })
  .refine(eitherOptionsOrGroups, WHICH_OPTIONS);

export const ExternalSelect = z.strictObject({
  type: z.literal('external_select'),
  action_id,
  placeholder,
  initial_option: PlainOption.optional(),
  min_query_length: z.number().int().min(0).optional(),
  confirm,
  focus_on_load,
});

export const UsersSelect = z.strictObject({
  type: z.literal('users_select'),
  action_id,
  placeholder,
  initial_user: z.string().optional(),
  confirm,
  focus_on_load,
});

export const ChannelsSelect = z.strictObject({
  type: z.literal('channels_select'),
  action_id,
  placeholder,
  initial_channel: z.string().optional(),
  response_url_enabled: z.boolean().optional(),
  confirm,
  focus_on_load,
});

export const Overflow = z.strictObject({
  type: z.literal('overflow'),
  action_id,
  options: z.array(PlainOption).min(1).max(5),
  confirm,
});

export const RadioButtons = z.strictObject({
  type: z.literal('radio_buttons'),
  action_id,
  options: z.array(AnyOption).min(1).max(10),
  initial_option: AnyOption.optional(),
  confirm,
  focus_on_load,
});

export const Checkboxes = z.strictObject({
  type: z.literal('checkboxes'),
  action_id,
  options: z.array(AnyOption).min(1).max(10),
  initial_options: z.array(AnyOption).min(1).max(10).optional(),
  confirm,
  focus_on_load,
});

export const PlainTextInput = z.strictObject({
  type: z.literal('plain_text_input'),
  action_id,
  placeholder,
  initial_value: z.string().optional(),
  multiline: z.boolean().optional(),
  min_length: z.number().int().min(0).max(3000).optional(),
  max_length: z.number().int().min(1).max(3000).optional(),
  dispatch_action_config,
  focus_on_load,
});

export const NumberInput = z.strictObject({
  type: z.literal('number_input'),
  action_id,
  placeholder,
  is_decimal_allowed: z.boolean(),
  initial_value: z.string().optional(),
  min_value: z.string().optional(),
  max_value: z.string().optional(),
  dispatch_action_config,
  focus_on_load,
});

const menus = [StaticSelect, MultiStaticSelect, ExternalSelect, UsersSelect, ChannelsSelect] as const;

/** What may stand in an `actions` block. */
export const ActionsElement = z.discriminatedUnion('type', [Button, Overflow, RadioButtons, Checkboxes, ...menus]);

/** What may stand beside the text of a `section`. */
export const Accessory = z.discriminatedUnion('type', [
  Button,
  ImageElement,
  Overflow,
  RadioButtons,
  Checkboxes,
  ...menus,
]);

/** What may stand in an `input` block. */
export const InputElement = z.discriminatedUnion('type', [
  PlainTextInput,
  NumberInput,
  RadioButtons,
  Checkboxes,
  ...menus,
]);
