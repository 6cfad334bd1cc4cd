import { toolFollowUp } from './tool.shared.ts';

/** Python stacks by gdb. */
export const pyBt = toolFollowUp({
  verb: 'py-bt',
  playbook: 'py-bt',
  usage: '[on HOST PID]',
  summary: 'Python stacks by gdb, which stops the process',
});
