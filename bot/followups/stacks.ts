import { toolFollowUp } from './tool.shared.ts';

/** Python stacks, without stopping the process. */
export const stacks = toolFollowUp({
  verb: 'stacks',
  playbook: 'stacks',
  usage: '[seconds] [on HOST PID]',
  summary: 'Python stacks of all threads, without stopping the process',
});
