import { defineAction } from '../action.ts';
import { askForLook } from '../followups/tool.shared.ts';
import { AboutLook } from '../thread/report-buttons.ts';
import { asFollowUp, saidBy } from './look.shared.ts';

/** The look that the button is under, once more. */
export const again = defineAction({
  action: 'again',
  data: AboutLook,
  run: async (data, pressed, bot) => {
    const said = saidBy(pressed, data);
    const { part, host, pid, playbook, window_seconds: seconds } = data.look;
    if (part === 'first') return await asFollowUp('again', said, bot);
    // The first message shows another look and keeps what it says.
    if (host === undefined || pid === undefined || playbook === undefined) return 'I cannot see what was looked at.';
    const options = (await bot.queue.answerTo(data.look.request_id))?.request.options;
    const words = [host, String(pid), playbook, ...(seconds === undefined ? [] : [`${seconds}`])];
    return await askForLook(said, bot, words, options);
  },
});
