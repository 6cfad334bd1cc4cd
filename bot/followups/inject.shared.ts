import type { FollowUp } from '../follow-up.ts';

/**
 * A tool that runs code of its own inside of the process, which is not done here: the code waits for the interpreter lock
 * with everything else stopped, and has been seen to end processes that spin or are blocked.
 */
export const refusedInjection = (verb: string): FollowUp => ({
  verb,
  usage: '',
  summary: 'why I do not do that, and what I do instead',
  run: async () =>
    `I do not run \`${verb}\` on a live process: it makes the process run foreign code under a debugger, which can end one that spins or is blocked, and those are the ones that people want to look into. \`heap\` counts its objects and names what holds them, \`stacks\` shows what it does, both without stopping it; with a yes \`gcore\` keeps everything for later.`,
});
