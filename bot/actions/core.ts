import { defineAction } from '../action.ts';
import { AboutLook } from '../thread/report-buttons.ts';
import { asFollowUp, saidBy } from './look.shared.ts';

/** A core of the process that the button is about, by the same rules as when it is asked for in words. */
export const core = defineAction({
  action: 'core',
  data: AboutLook,
  run: (data, pressed, bot) => asFollowUp('gcore', saidBy(pressed, data), bot),
});
