import type { BotContext } from './context.ts';

/** A slash command as somebody typed it. */
export interface Asked {
  /** The words after the verb, cleaned of what Slack and keyboards put into them. */
  readonly words: readonly string[];
  readonly team: string;
  readonly channel: string;
  readonly user: string;
  /** Slack's id of this one use of the command. */
  readonly triggerId: string;
  readonly responseUrl: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/**
 * One verb of `/diagnose`; its file's name. `run` must be quick (Slack waits three seconds): what takes longer goes into
 * the queue. It returns what only the asker sees, as mrkdwn, or null when the channel will show it.
 */
export interface Command {
  readonly verb: string;
  /** `HOST PID [playbook] [seconds]`, without the verb. */
  readonly usage: string;
  /** One line for the help text. */
  readonly summary: string;
  readonly run: (asked: Asked, bot: BotContext) => Promise<string | null>;
}
