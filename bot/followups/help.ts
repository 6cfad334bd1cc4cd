import type { FollowUp } from '../follow-up.ts';

/** What can be asked in a thread, from the thread commands that there are. */
export const help: FollowUp = {
  verb: 'help',
  usage: '',
  summary: 'this text',
  run: async ({ thread }, { followUps }) => {
    const verbs = [...followUps.values()].map(
      ({ verb, usage, summary }) => `\`${`${verb} ${usage}`.trim()}\`: ${summary}`,
    );
    return thread === null
      ? 'Start with `/diagnose HOST PID` in the channel, or `/diagnose help`. In the thread that I open you can go on with me.'
      : `Mention me in this thread with one of these, or begin a reply with it. ${verbs.join('; ')}.`;
  },
};
