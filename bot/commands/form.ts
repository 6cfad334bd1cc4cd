import type { Command } from '../command.ts';
import { lookForm } from '../look-form.ts';
import { SlackRefused } from '../slack/errors.ts';
import { soon } from '../soon.ts';

/** Asks in a modal what is to be examined. */
export const form: Command = {
  verb: 'form',
  usage: '',
  summary: 'asks what to examine in a form; `/diagnose` alone does the same',
  run: async (asked, bot) => {
    try {
      await soon('views.open', bot.slack.openView(asked.triggerId, lookForm(asked, bot), asked.user));
      return null;
    } catch (error) {
      // The same command, delivered twice: its modal is open.
      if (error instanceof SlackRefused && error.code === 'exchanged_trigger_id') return null;
      if (!(error instanceof SlackRefused)) throw error;
      bot.log.warn({ code: error.code }, 'modal could not be opened');
      return `Slack did not let me open the form (${error.code}). Ask like this: \`/diagnose HOST PID\`, or \`/diagnose help\`.`;
    }
  },
};
