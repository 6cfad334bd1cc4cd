import { toolFollowUp } from './tool.shared.ts';

/** Library calls of a process with one thread. */
export const ltrace = toolFollowUp({
  verb: 'ltrace',
  playbook: 'ltrace',
  usage: '[seconds] [on HOST PID]',
  summary: 'count the library calls for at most 3 s, of a process with one thread only: it ends others',
});
