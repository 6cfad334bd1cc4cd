import { toolFollowUp } from './tool.shared.ts';

/** Headers of TCP packets. */
export const tcpdump = toolFollowUp({
  verb: 'tcpdump',
  playbook: 'tcpdump',
  usage: '[seconds] [on HOST PID]',
  summary: 'headers of the TCP packets of the process',
});
