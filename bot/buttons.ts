import { randomBytes } from 'node:crypto';
import type { ActionsBlock, Button, PlainTextOption } from '@slack/types';
import { z } from 'zod';
import type { BotContext } from './context.ts';

/** What a button is to do. It carries only an opaque id; all of this is kept by the bot under that id. */
export interface ButtonSpec {
  /** The unit of `bot/actions/` that does it. */
  readonly action: string;
  /** At most 75 characters (Slack's limit for a button's text). */
  readonly label: string;
  /** For that unit; it has the schema. JSON. */
  readonly data: unknown;
  readonly style?: 'primary' | 'danger';
}

/** What is kept of a button. */
export const KeptButton = z.object({
  action: z.string(),
  label: z.string(),
  data: z.unknown(),
  /** Presses of the same group count once: one of "approve" and "refuse". */
  group: z.string(),
  /** The only people who may press it; anybody who may ask the bot when absent. */
  only: z.array(z.string()).optional(),
  /** Milliseconds since 1970; pressed later it says that it is too late. */
  until: z.number(),
});
export type KeptButton = z.infer<typeof KeptButton>;

export interface RowOptions {
  /** One press ends the whole row. */
  readonly oneOf?: boolean;
  readonly only?: readonly string[];
  /** How long the buttons work. Default a week. */
  readonly seconds?: number;
}

/** What every button's action_id begins with; the rest keeps the ids of a row apart. */
export const BUTTON_ID = 'straceback-press';
export const KIND = 'button';
const WEEK_SECONDS = 7 * 24 * 3600;
/** Kept longer than it works, so that a late press is told that it is late. */
const AFTERWARDS_SECONDS = 7 * 24 * 3600;

const token = (): string => randomBytes(18).toString('base64url');

/**
 * A row of buttons to put into a message. Made anew for every try to post it: ids of a message that was never posted are
 * pressed by nobody and expire. Throws QueueUnavailable.
 */
export const buttonRow = async (
  { queue }: Pick<BotContext, 'queue'>,
  specs: readonly ButtonSpec[],
  { oneOf = false, only, seconds = WEEK_SECONDS }: RowOptions = {},
): Promise<ActionsBlock> => {
  const row = token();
  const elements = await Promise.all(
    specs.map(async ({ action, label, data, style }, index): Promise<Button> => {
      const id = token();
      const kept: KeptButton = {
        action,
        label,
        data,
        group: oneOf ? row : id,
        until: queue.now() + seconds * 1_000,
        ...(only === undefined ? {} : { only: [...only] }),
      };
      await queue.notes.set(KIND, id, kept, seconds + AFTERWARDS_SECONDS);
      return {
        type: 'button',
        action_id: `${BUTTON_ID}-${index}`,
        text: { type: 'plain_text', text: label, emoji: false },
        value: id,
        ...(style === undefined ? {} : { style }),
      };
    }),
  );
  return { type: 'actions', block_id: row, elements };
};

/**
 * A list to pick one thing from; what was picked is the press's `picked`. Made anew for every try to post it. The id is the
 * block's, because the value of a list is what was picked. Of lists with the same `group` one counts. Throws QueueUnavailable.
 */
export const pickList = async (
  { queue }: Pick<BotContext, 'queue'>,
  { action, label, data }: Omit<ButtonSpec, 'style'>,
  placeholder: string,
  options: readonly PlainTextOption[],
  { only, seconds = WEEK_SECONDS, group }: Omit<RowOptions, 'oneOf'> & { readonly group?: string } = {},
): Promise<ActionsBlock> => {
  const id = token();
  const until = queue.now() + seconds * 1_000;
  const kept: KeptButton = {
    action,
    label,
    data,
    group: group ?? id,
    until,
    ...(only === undefined ? {} : { only: [...only] }),
  };
  await queue.notes.set(KIND, id, kept, seconds + AFTERWARDS_SECONDS);
  return {
    type: 'actions',
    block_id: id,
    elements: [
      {
        type: 'static_select',
        action_id: `${BUTTON_ID}-pick`,
        placeholder: { type: 'plain_text', text: placeholder, emoji: false },
        options: [...options],
      },
    ],
  };
};
