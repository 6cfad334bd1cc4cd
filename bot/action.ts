import type { z } from 'zod';
import type { Delivery } from '../infra/queue/bot-side.ts';
import type { Press } from '../infra/queue/messages.ts';
import type { BotContext } from './context.ts';

/** A press that counts: the button is known, still works, and was pressed by somebody who may. */
export interface Pressed extends Delivery {
  readonly press: Press;
}

/**
 * What a button does; its file's name. May be run again after a crash, so everything it does must be repeatable.
 * Throws to be called again: when Slack or the queue do not answer.
 */
export interface Action<Data = unknown> {
  readonly action: string;
  /** What each button of this kind was made with. */
  readonly data: z.ZodType<Data>;
  /** Returns a sentence for the one who pressed, alone, or null. */
  readonly run: (data: Data, pressed: Pressed, bot: BotContext) => Promise<string | null>;
}

/** Keeps an action's types while declaring it. */
export const defineAction = <Data>(action: Action<Data>): Action<Data> => action;
