import type * as Slack from '@slack/types';
import type { z } from 'zod';
import type * as ours from './blocks.ts';
import type * as elements from './elements.ts';
import type * as views from './views.ts';

/**
 * Held by the compiler against the official `@slack/types`: what the schemas accept is what Slack's types accept
 * (`Accepted`), and, where this Slack knows an element in full, nothing that Slack's types allow is unknown (`Complete`).
 */
type Accepted<Ours extends z.ZodType, Theirs> = z.infer<Ours> extends Theirs ? true : never;
type Complete<Theirs, Ours extends z.ZodType> = Theirs extends z.input<Ours> ? true : never;

/** In the types `value` is optional, since an option of an overflow menu may have a URL alone; Slack's text asks for it. */
type WithValues<Option> = Option & { value: string };

type Both<Schema extends z.ZodType, Theirs> = [Accepted<Schema, Theirs>, Complete<Theirs, Schema>];

/** Every entry is `true` or the build fails. */
export const CONFORMS: {
  button: Both<typeof elements.Button, Slack.Button>;
  image: Accepted<typeof elements.ImageElement, Slack.ImageElement>;
  staticSelect: Accepted<typeof elements.StaticSelect, Slack.StaticSelect>;
  multiStaticSelect: Accepted<typeof elements.MultiStaticSelect, Slack.MultiStaticSelect>;
  externalSelect: Accepted<typeof elements.ExternalSelect, Slack.ExternalSelect>;
  usersSelect: Both<typeof elements.UsersSelect, Slack.UsersSelect>;
  channelsSelect: Both<typeof elements.ChannelsSelect, Slack.ChannelsSelect>;
  overflow: Accepted<typeof elements.Overflow, Slack.Overflow>;
  overflowOption: Complete<
    WithValues<Slack.PlainTextOption>,
    (typeof elements.Overflow)['shape']['options']['element']
  >;
  radioButtons: Accepted<typeof elements.RadioButtons, Slack.RadioButtons>;
  checkboxes: Accepted<typeof elements.Checkboxes, Slack.Checkboxes>;
  plainTextInput: Both<typeof elements.PlainTextInput, Slack.PlainTextInput>;
  numberInput: Both<typeof elements.NumberInput, Slack.NumberInput>;
  actionsElement: Accepted<typeof elements.ActionsElement, Slack.ActionsBlockElement>;
  accessory: Accepted<typeof elements.Accessory, Slack.SectionBlockAccessory>;
  inputElement: Accepted<typeof elements.InputElement, Slack.InputBlockElement>;
  section: Accepted<typeof ours.Section, Slack.SectionBlock>;
  header: Both<typeof ours.Header, Slack.HeaderBlock>;
  divider: Both<typeof ours.Divider, Slack.DividerBlock>;
  context: Accepted<typeof ours.Context, Slack.ContextBlock>;
  actions: Accepted<typeof ours.Actions, Slack.ActionsBlock>;
  imageBlock: Accepted<typeof ours.Image, Slack.ImageBlock>;
  markdown: Both<typeof ours.Markdown, Slack.MarkdownBlock>;
  table: Both<typeof ours.Table, Slack.TableBlock>;
  input: Accepted<typeof ours.Input, Slack.InputBlock>;
  block: Accepted<typeof ours.MessageBlock, Slack.KnownBlock>;
  modal: Accepted<typeof views.ModalView, Slack.ModalView>;
  home: Accepted<typeof views.HomeView, Slack.HomeView>;
} = {
  button: [true, true],
  image: true,
  staticSelect: true,
  multiStaticSelect: true,
  externalSelect: true,
  usersSelect: [true, true],
  channelsSelect: [true, true],
  overflow: true,
  overflowOption: true,
  radioButtons: true,
  checkboxes: true,
  plainTextInput: [true, true],
  numberInput: [true, true],
  actionsElement: true,
  accessory: true,
  inputElement: true,
  section: true,
  header: [true, true],
  divider: [true, true],
  context: true,
  actions: true,
  imageBlock: true,
  markdown: [true, true],
  table: [true, true],
  input: true,
  block: true,
  modal: true,
  home: true,
};
