import { toolFollowUp } from './tool.shared.ts';

/** What is in the core that was taken. */
export const core = toolFollowUp({
  verb: 'core',
  playbook: 'core',
  usage: '[on HOST PID]',
  summary: 'the stacks in the core that was taken, without touching the process',
});
