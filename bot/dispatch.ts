import { QueueUnavailable } from '../infra/queue/connection.ts';
import type { Command } from './command.ts';
import type { BotContext } from './context.ts';
import { SlackAway } from './slack/errors.ts';
import { soon } from './soon.ts';
import { wordsOf } from './words.ts';

/** The fields of Slack's slash command payload that are read. */
export interface SlashPayload {
  readonly text: string;
  readonly team_id: string;
  readonly channel_id: string;
  readonly user_id: string;
  readonly trigger_id: string;
  readonly response_url: string;
}

const DEFAULT_VERB = 'look';

/** The verb that the first word names and the words left for it. Without words it is `form`. */
const verbOf = (
  words: readonly string[],
  { commands }: BotContext,
): { command: Command | undefined; rest: readonly string[] } => {
  const first = words[0]?.toLowerCase() ?? 'form';
  const named = commands.get(first);
  return named === undefined
    ? { command: commands.get(DEFAULT_VERB), rest: words }
    : { command: named, rest: words.slice(1) };
};

/** Access for verbs that answer at once; `look` is checked again, without hurry, before its thread is opened. */
const refusalSoon = (payload: SlashPayload, { access }: BotContext): Promise<string | null> =>
  soon('users.info', access.refusal({ team: payload.team_id, user: payload.user_id }));

/** Does what `/diagnose …` asks. Returns what only the asker sees, or null. Never throws: trouble is a sentence. */
export const dispatch = async (payload: SlashPayload, bot: BotContext): Promise<string | null> => {
  const { command, rest } = verbOf(wordsOf(payload.text), bot);
  if (command === undefined) return 'I cannot do anything: my commands are missing.';
  try {
    const refusal =
      command.verb === DEFAULT_VERB && payload.team_id === bot.me.teamId ? null : await refusalSoon(payload, bot);
    if (refusal !== null) return refusal;
    return await command.run(
      {
        words: rest,
        team: payload.team_id,
        channel: payload.channel_id,
        user: payload.user_id,
        triggerId: payload.trigger_id,
        responseUrl: payload.response_url,
        at: bot.queue.now(),
      },
      bot,
    );
  } catch (error) {
    if (error instanceof QueueUnavailable) return error.message;
    if (error instanceof SlackAway) return 'Slack does not answer me now. Try again in a minute.';
    bot.log.error(
      { command: command.verb, error: error instanceof Error ? error.stack : String(error) },
      'command failed',
    );
    return 'Something went wrong in me; my log has it. Try again.';
  }
};
