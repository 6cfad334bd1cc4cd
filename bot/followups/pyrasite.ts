import { toolFollowUp } from './tool.shared.ts';

/** Objects as the process itself counts them, by a script that runs in it. */
export const pyrasite = toolFollowUp({
  verb: 'pyrasite',
  playbook: 'pyrasite',
  usage: '[on HOST PID]',
  summary:
    'run a script in the process that counts its objects, which may end it; `heap` does so from outside, without risk',
});
