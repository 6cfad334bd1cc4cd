import { asPattern, toolFollowUp } from './tool.shared.ts';

/** Lines of the process's own logs. */
export const log = toolFollowUp({
  verb: 'log',
  playbook: 'log',
  usage: '[text] [on HOST PID]',
  summary: 'lines of its own logs that have this text in them (taken literally, in any case), or the last ones',
  // People talk of logs, too.
  fits: (words) => words.length < 2 || words.at(-3)?.toLowerCase() === 'on',
  takes: { probe: 'log-lines', option: 'pattern' },
  options: asPattern('log-lines'),
});
