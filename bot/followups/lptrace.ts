import type { FollowUp } from '../follow-up.ts';

/**
 * Not done; says why. It runs code of its own inside of the process under a debugger, which waits for the interpreter lock
 * with everything else stopped, and has been seen to end processes that spin or are blocked.
 */
export const lptrace: FollowUp = {
  verb: 'lptrace',
  usage: '',
  summary: 'why I do not do that, and what I do instead',
  run: async () =>
    'I do not run `lptrace` on a live process: it makes the process run foreign code under a debugger, which can end one that spins or is blocked, and those are the ones that people want to look into. `stacks` shows what it does and `heap` counts its objects and names what holds them, both without stopping it; with a yes `gcore` keeps everything for later.',
};
