import type { z } from 'zod';
import type { Delivery } from '../infra/queue/bot-side.ts';
import type { Errand } from '../infra/queue/messages.ts';
import type { BotContext } from './context.ts';

/**
 * Work that was set for later (a look that is to be made every minute, an answer that somebody waits for); its file's
 * name. May be run again after a crash, so everything it does must be repeatable. Throws to be called again.
 */
export interface ErrandUnit<Data = unknown> {
  readonly errand: string;
  readonly data: z.ZodType<Data>;
  readonly run: (data: Data, at: number, delivery: Delivery, bot: BotContext) => Promise<void>;
}

/** Runs an errand. One that this version does not know is said in the log: there is nobody to tell. */
export const runErrand = async (
  { errand, data, at, id }: Errand,
  delivery: Delivery,
  bot: BotContext,
): Promise<void> => {
  const unit = bot.errands.get(errand);
  const parsed = unit?.data.safeParse(data);
  if (unit === undefined || parsed?.success !== true) {
    bot.log.error({ id, errand, problems: parsed?.error?.message }, 'errand refused: this version cannot do it');
    return;
  }
  await unit.run(parsed.data, at, delivery, bot);
};

/** Keeps an errand's types while declaring it. */
export const defineErrand = <Data>(unit: ErrandUnit<Data>): ErrandUnit<Data> => unit;
