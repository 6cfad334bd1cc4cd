import { toolFollowUp } from './tool.shared.ts';

/** The books of malloc. */
export const malloc = toolFollowUp({
  verb: 'malloc',
  playbook: 'malloc',
  usage: '[seconds] [on HOST PID]',
  summary: 'what malloc has taken, given out and kept',
});
