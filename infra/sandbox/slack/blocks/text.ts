import { z } from 'zod';

/** `block_id`, `action_id`: 255 characters at most. */
export const Id = z.string().max(255);

function plainText(max: number) {
  return z.strictObject({
    type: z.literal('plain_text'),
    text: z.string().min(1).max(max),
    emoji: z.boolean().optional(),
  });
}

function mrkdwn(max: number) {
  return z.strictObject({
    type: z.literal('mrkdwn'),
    text: z.string().min(1).max(max),
    verbatim: z.boolean().optional(),
  });
}

/** A text object that must be `plain_text`, up to the limit of its place. */
export const PlainText = (max: number) => plainText(max);

/** A text object of either kind, up to the limit of its place. */
export const AnyText = (max: number) => z.discriminatedUnion('type', [plainText(max), mrkdwn(max)]);

/** The dialog that asks before an element acts. */
export const Confirm = z.strictObject({
  title: PlainText(100).optional(),
  text: AnyText(300),
  confirm: PlainText(30).optional(),
  deny: PlainText(30).optional(),
  style: z.enum(['primary', 'danger']).optional(),
});

/** An option of a menu: text and description 75 characters, value 150. */
export const PlainOption = z.strictObject({
  text: PlainText(75),
  value: z.string().max(150),
  description: PlainText(75).optional(),
  url: z.string().max(3000).optional(),
});

/** An option of radio buttons and check boxes, which may hold mrkdwn. */
export const AnyOption = z.union([PlainOption, PlainOption.extend({ text: mrkdwn(75) })]);

export const OptionGroup = z.strictObject({
  label: PlainText(75),
  options: z.array(PlainOption).min(1).max(100),
});

export const Placeholder = PlainText(150);
