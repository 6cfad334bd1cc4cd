import type { FollowUp } from '../follow-up.ts';
import { askForLook } from './tool.shared.ts';

/** Another process of the same host, in the same thread. */
export const diagnose: FollowUp = {
  verb: 'diagnose',
  usage: 'PID|SELECTOR [playbook] [seconds]',
  summary: 'examine another process of the same host',
  run: async (said, bot) => {
    const host = said.thread?.mark.host;
    if (host === undefined) return 'On which host? Say it in a thread that I opened, or ask with `/diagnose HOST PID`.';
    return await askForLook(said, bot, [host, ...said.words]);
  },
};
