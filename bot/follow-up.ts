import type { Mention } from '../infra/queue/messages.ts';
import type { BotContext } from './context.ts';
import type { Mark } from './slack/shapes.ts';

/** What somebody said to the bot in a thread that it opened. */
export interface Said {
  readonly mention: Mention;
  readonly words: readonly string[];
  /** The thread's first message; null outside of a thread that the bot opened. */
  readonly thread: { readonly ts: string; readonly mark: Mark } | null;
  /** Over 1: this may have been done already, in part or whole. */
  readonly attempt: number;
}

/** One thread command; its file's name. May be run again after a crash, so everything it does must be repeatable. */
export interface FollowUp {
  readonly verb: string;
  readonly usage: string;
  readonly summary: string;
  /** The playbook that it runs, whose impacts decide who may ask for it. */
  readonly playbook?: string;
  /** The one text that it takes, as the option of a probe: what a model may fill in where it may ask for this. */
  readonly takes?: { readonly probe: string; readonly option: string };
  /**
   * Whether these words after the verb, in a reply that does not mention the bot, are meant for it: for verbs that people
   * also say to each other. Absent: any words, where `usage` has some.
   */
  readonly fits?: (words: readonly string[]) => boolean;
  /** Returns the sentence to answer with in the thread, or null when something else answers. */
  readonly run: (said: Said, bot: BotContext) => Promise<string | null>;
}
