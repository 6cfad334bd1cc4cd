import { asPattern, toolFollowUp } from './tool.shared.ts';

/** All that the process has open, or what of it has a text in its name. */
export const lsof = toolFollowUp({
  verb: 'lsof',
  playbook: 'lsof',
  usage: '[pattern] [on HOST PID]',
  summary: 'all that the process has open, or what of it has this text in its name',
  takes: { probe: 'lsof', option: 'pattern' },
  options: asPattern('lsof'),
});
