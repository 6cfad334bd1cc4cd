import { selectorText } from '../playbooks/model/index.ts';
import type { BotContext } from './context.ts';
import { askForLook } from './followups/tool.shared.ts';
import type { Chosen, Seeking } from './seek.ts';

/**
 * Goes on as if the process had been typed. Returns a sentence for the asker alone, or null. Safe to repeat; throws to be
 * called again.
 */
export const lookAtChosen = async (
  { wanted, by }: Seeking,
  { how, ...chosen }: Chosen,
  attempt: number,
  bot: BotContext,
): Promise<string | null> => {
  const { host, selector, playbook, windowSeconds } = wanted;
  const found = { ...chosen, selector: selectorText(selector) };
  const why = `Found by \`${found.selector.replaceAll('`', "'")}\`: ${how}`;
  if (by.kind === 'thread') {
    const words = [host, String(chosen.pid), playbook, ...(windowSeconds === undefined ? [] : [String(windowSeconds)])];
    const { mention, thread, options } = by;
    return await askForLook({ mention, words: [], thread, attempt }, bot, words, options, { ...found, why });
  }
  const { id, team, channel, user, responseUrl, at } = by;
  const allow = [...(await bot.policy.allowed({ team, user, channel }, host))];
  const request = {
    id,
    host,
    ...found,
    playbook,
    ...(windowSeconds === undefined ? {} : { windowSeconds }),
    allow,
    requestedAt: at,
  };
  await bot.queue.accept({ kind: 'opening', id, request, team, channel, user, responseUrl, why });
  return null;
};
