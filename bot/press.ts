import { z } from 'zod';
import type { Delivery } from '../infra/queue/bot-side.ts';
import type { Press } from '../infra/queue/messages.ts';
import type { Action } from './action.ts';
import { KeptButton, KIND } from './buttons.ts';
import type { BotContext } from './context.ts';
import { SlackRefused } from './slack/errors.ts';
import { showPressed } from './thread/pressed.ts';

/** Longer than any button is kept. */
const REMEMBER_SECONDS = 30 * 24 * 3600;

/** Who pressed first. */
const First = z.object({ id: z.string(), user: z.string() });

/** A button that this person may press now, and what it was made with. */
export interface Usable {
  readonly button: KeptButton;
  readonly unit: Action;
  readonly data: unknown;
}

/** What a press means, or the sentence that says why it means nothing. Whether the person may ask at all is not asked here. */
export const weigh = async (press: Press, bot: BotContext): Promise<Usable | string> => {
  const { notes } = bot.queue;
  const button = KeptButton.safeParse(await notes.get(KIND, press.token)).data;
  if (button === undefined)
    return 'This button is too old: I no longer know what it was for. Say `help` in the thread.';
  // Pressed in time is in time, even if a bot comes to it later.
  if (press.at > button.until) return `“${button.label}” works no longer: its time is over.`;
  if (button.only !== undefined && !button.only.includes(press.user))
    return `“${button.label}” is not for you to press.`;
  const unit = bot.actions.get(button.action);
  const data = unit?.data.safeParse(button.data);
  if (unit === undefined || data?.success !== true) return `This version of me can no longer do “${button.label}”.`;
  const first = First.safeParse(await notes.get('pressed', button.group)).data;
  if (first !== undefined && first.id !== press.id) return `“${button.label}” was pressed already by <@${first.user}>.`;
  return { button, unit, data: data.data };
};

/** Does what a press asks for; a sentence for the presser alone, or null. */
const answerTo = async (press: Press, delivery: Delivery, bot: BotContext): Promise<string | null> => {
  const refusal = await bot.access.refusal(press);
  if (refusal !== null) return refusal;
  const usable = await weigh(press, bot);
  if (typeof usable === 'string') return usable;
  const { button, unit, data } = usable;
  if (unit.form !== undefined && press.form === undefined)
    return `I could not open what “${button.label}” asks for. Press it again.`;
  const notTheirs = (await unit.refusal?.(data, press, bot)) ?? null;
  if (notTheirs !== null) return notTheirs;
  // The press that was first keeps the button, also when it is delivered again.
  const claim = { id: press.id, user: press.user };
  if (!(await bot.queue.notes.claim('pressed', button.group, claim, REMEMBER_SECONDS))) {
    const first = First.safeParse(await bot.queue.notes.get('pressed', button.group)).data;
    if (first?.id !== press.id) {
      return `“${button.label}” was pressed already${first === undefined ? '' : ` by <@${first.user}>`}.`;
    }
  }
  if (unit.showsItself !== true) await showPressed(press, button, bot);
  return await unit.run(data, { ...delivery, press }, bot);
};

/** Does what a button does, once, for somebody who may. Safe to repeat; throws to be called again. */
export const handlePress = async (press: Press, delivery: Delivery, bot: BotContext): Promise<void> => {
  const { channel, user, threadTs, messageTs } = press;
  try {
    const answer = await answerTo(press, delivery, bot);
    if (answer !== null) await bot.slack.ephemeral({ channel, user, threadTs: threadTs ?? messageTs }, answer);
  } catch (error) {
    if (!(error instanceof SlackRefused)) throw error;
    bot.log.warn({ channel, code: error.code, method: error.method }, 'press could not be answered');
  }
};
