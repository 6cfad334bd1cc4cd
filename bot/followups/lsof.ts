import { toolFollowUp } from './tool.shared.ts';

/** All that the process has open. */
export const lsof = toolFollowUp({
  verb: 'lsof',
  playbook: 'lsof',
  usage: '[on HOST PID]',
  summary: 'all that the process has open',
});
