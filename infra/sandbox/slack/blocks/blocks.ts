import { z } from 'zod';
import { Accessory, ActionsElement, ImageElement, InputElement } from './elements.ts';
import { RichTextBlock } from './rich-text.ts';
import { AnyText, Id, PlainText } from './text.ts';

const block_id = Id.optional();

export const Section = z
  .strictObject({
    type: z.literal('section'),
    block_id,
    text: AnyText(3000).optional(),
    fields: z.array(AnyText(2000)).min(1).max(10).optional(),
    accessory: Accessory.optional(),
    expand: z.boolean().optional(),
  })
  .refine((section) => section.text !== undefined || section.fields !== undefined, 'missing required field: text');

export const Header = z.strictObject({ type: z.literal('header'), block_id, text: PlainText(150) });

export const Divider = z.strictObject({ type: z.literal('divider'), block_id });

export const Context = z.strictObject({
  type: z.literal('context'),
  block_id,
  // The limit of a text object where its place sets none.
  elements: z
    .array(z.discriminatedUnion('type', [AnyText(3000), ImageElement]))
    .min(1)
    .max(10),
});

export const Actions = z.strictObject({
  type: z.literal('actions'),
  block_id,
  elements: z.array(ActionsElement).min(1).max(25),
});

export const Image = z.strictObject({
  type: z.literal('image'),
  block_id,
  alt_text: z.string().min(1).max(2000),
  title: PlainText(2000).optional(),
  image_url: z.string().min(1).max(3000),
});

export const Markdown = z.strictObject({ type: z.literal('markdown'), block_id, text: z.string().min(1).max(12_000) });

const Cell = z.discriminatedUnion('type', [
  RichTextBlock,
  z.strictObject({ type: z.literal('raw_text'), text: z.string().min(1) }),
  z.strictObject({ type: z.literal('raw_number'), value: z.number(), text: z.string().min(1) }),
]);

export const Table = z.strictObject({
  type: z.literal('table'),
  block_id,
  rows: z.array(z.array(Cell).min(1).max(20)).min(1).max(100),
  column_settings: z
    .array(
      z.strictObject({ align: z.enum(['left', 'center', 'right']).optional(), is_wrapped: z.boolean().optional() }),
    )
    .max(20)
    .optional(),
});

export const Input = z.strictObject({
  type: z.literal('input'),
  block_id,
  label: PlainText(2000),
  hint: PlainText(2000).optional(),
  optional: z.boolean().optional(),
  dispatch_action: z.boolean().optional(),
  element: InputElement,
});

/** The blocks of a message that this Slack knows. */
export const MessageBlock = z.discriminatedUnion('type', [
  Section,
  Header,
  Divider,
  Context,
  Actions,
  Image,
  Markdown,
  RichTextBlock,
  Table,
  Input,
]);

/** The blocks of a modal or a home tab: no markdown, no table. */
export const ViewBlock = z.discriminatedUnion('type', [
  Section,
  Header,
  Divider,
  Context,
  Actions,
  Image,
  RichTextBlock,
  Input,
]);

export type Block = z.infer<typeof MessageBlock>;
