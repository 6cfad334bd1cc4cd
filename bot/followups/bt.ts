import { toolFollowUp } from './tool.shared.ts';

/** C stacks of all threads. */
export const bt = toolFollowUp({
  verb: 'bt',
  playbook: 'bt',
  usage: '[on HOST PID]',
  summary: 'C stacks of all threads, which stops the process for a moment',
});
