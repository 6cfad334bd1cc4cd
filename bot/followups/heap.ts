import { toolFollowUp } from './tool.shared.ts';

/** Python objects by type. */
export const heap = toolFollowUp({
  verb: 'heap',
  playbook: 'heap',
  usage: '[seconds] [on HOST PID]',
  summary: 'Python objects by type and the biggest containers',
});
