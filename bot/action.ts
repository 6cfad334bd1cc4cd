import type { KnownBlock } from '@slack/types';
import type { z } from 'zod';
import type { Delivery } from '../infra/queue/bot-side.ts';
import type { Press } from '../infra/queue/messages.ts';
import type { BotContext } from './context.ts';

/** A press that counts: the button is known, still works, and was pressed by somebody who may. */
export interface Pressed extends Delivery {
  readonly press: Press;
}

/** What a modal asks before a button's work is done. */
export interface Form<Data> {
  /** At most 24 characters each (Slack's limit). */
  readonly title: string;
  readonly submit: string;
  /** Quick and from what is at hand: Slack's trigger works for three seconds. Each `input` block has a block_id of its own. */
  readonly blocks: (data: Data, bot: BotContext) => readonly KnownBlock[];
  /** What was filled in, by block_id; null where nothing was. Its complaints are shown at the field that they name. */
  readonly answers: z.ZodType;
}

/**
 * What a button does; its file's name. May be run again after a crash, so everything it does must be repeatable.
 * Throws to be called again: when Slack or the queue do not answer.
 */
export interface Action<Data = unknown> {
  readonly action: string;
  /** What each button of this kind was made with. */
  readonly data: z.ZodType<Data>;
  /** Asked first, in a modal; then `press.form` has the answers and the button is used up by the submission. */
  readonly form?: Form<Data>;
  /**
   * Asked before a press counts: the sentence for somebody who may not press it, which leaves the button to others; null when
   * they may. Repeatable, too.
   */
  readonly refusal?: (data: Data, press: Press, bot: BotContext) => Promise<string | null>;
  /** The message with the button shows by itself what became of it; else the button is replaced by who pressed it. */
  readonly showsItself?: true;
  /** Returns a sentence for the one who pressed, alone, or null. */
  readonly run: (data: Data, pressed: Pressed, bot: BotContext) => Promise<string | null>;
}

/** Keeps an action's types while declaring it. */
export const defineAction = <Data>(action: Action<Data>): Action<Data> => action;
