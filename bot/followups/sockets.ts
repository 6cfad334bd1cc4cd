import { toolFollowUp } from './tool.shared.ts';

/** Sockets and what goes over them. */
export const sockets = toolFollowUp({
  verb: 'sockets',
  playbook: 'sockets',
  usage: '[seconds] [on HOST PID]',
  summary: 'sockets, their queues and what goes over them',
});
