import { z } from 'zod';
import { ProbeOptions } from '../../playbooks/model/index.ts';
import { defineAction } from '../action.ts';
import { askForLook } from '../followups/tool.shared.ts';
import { AboutLook } from '../thread/report-buttons.ts';
import { saidBy } from './look.shared.ts';

/** Looks at what runs in the place of a process that has gone. */
export const instead = defineAction({
  action: 'instead',
  data: AboutLook.extend({
    host: z.string(),
    pid: z.number().int(),
    startTime: z.string(),
    playbook: z.string(),
    windowSeconds: z.number().optional(),
    options: ProbeOptions.optional(),
  }),
  run: async (data, pressed, bot) => {
    const { host, pid, startTime, playbook, windowSeconds, options } = data;
    const words = [host, String(pid), playbook, ...(windowSeconds === undefined ? [] : [String(windowSeconds)])];
    const why = `It runs in the place of process ${data.look.pid}.`;
    return await askForLook(saidBy(pressed, data), bot, words, options, { startTime, why });
  },
});
