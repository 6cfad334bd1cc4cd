import { defineAction } from '../action.ts';
import { AboutLook } from '../thread/report-buttons.ts';
import { asFollowUp, saidBy } from './look.shared.ts';

/** Ten seconds of strace on the process that the button is about. */
export const trace = defineAction({
  action: 'trace',
  data: AboutLook,
  run: (data, pressed, bot) => asFollowUp('strace', saidBy(pressed, data, ['10']), bot),
});
