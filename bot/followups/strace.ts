import { toolFollowUp } from './tool.shared.ts';

/** Runs strace for some seconds. */
export const strace = toolFollowUp({
  verb: 'strace',
  playbook: 'strace',
  usage: '[seconds] [on HOST PID]',
  summary: 'trace the system calls for some seconds',
});
