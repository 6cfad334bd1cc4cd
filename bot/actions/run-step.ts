import { z } from 'zod';
import { defineAction } from '../action.ts';
import { AboutLook } from '../thread/report-buttons.ts';
import { asFollowUp, saidBy } from './look.shared.ts';

/** What an answer offered to run: the thread command, as if the presser had typed it, with its approvals. */
export const runStep = defineAction({
  action: 'run-step',
  data: AboutLook.extend({ verb: z.string() }),
  run: async ({ verb, ...about }, pressed, bot) =>
    bot.followUps.get(verb)?.playbook === undefined
      ? `I can no longer run \`${verb}\`.`
      : await asFollowUp(verb, saidBy(pressed, about), bot),
});
