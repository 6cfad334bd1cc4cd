import { toolFollowUp } from './tool.shared.ts';

/** A core of the process. */
export const gcore = toolFollowUp({
  verb: 'gcore',
  playbook: 'gcore',
  usage: '[on HOST PID]',
  summary: 'take a core, which stops the process and writes to the disk of its host',
});
