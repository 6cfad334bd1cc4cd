import { App } from '@slack/bolt';
import type { Mention } from '../infra/queue/messages.ts';
import type { Trace } from '../infra/tracing/trace.ts';
import type { BotContext } from './context.ts';
import { dispatch } from './dispatch.ts';
import { listenToInteractions } from './interactions.ts';
import { isThreadCommand } from './mention.ts';
import { textInLanguage } from './slack/in-language.ts';
import type { Entrance } from './slack/receivers.ts';

interface SaidEvent {
  readonly channel: string;
  readonly user: string;
  readonly ts: string;
  readonly thread_ts?: string;
  readonly team?: string;
  readonly text: string;
}

const mentionOf = (
  event: SaidEvent,
  body: { readonly event_id: string; readonly team_id: string },
  at: number,
): Mention => ({
  kind: 'mention',
  id: body.event_id,
  team: ('user_team' in event && typeof event.user_team === 'string' ? event.user_team : event.team) ?? body.team_id,
  channel: event.channel,
  user: event.user,
  ts: event.ts,
  ...(event.thread_ts === undefined ? {} : { threadTs: event.thread_ts }),
  text: event.text,
  at,
});

/** Connects Bolt: it checks and parses what comes in; what it means is decided elsewhere. */
export const listen = (entrance: Entrance, botToken: string, bot: BotContext, trace: Trace): void => {
  const { me, log, queue } = bot;
  const app = new App({
    receiver: entrance.receiver,
    authorize: async () => ({ botToken, botId: me.botId, botUserId: me.userId }),
    convoStore: false,
  });
  app.error(async (error) => {
    log.error({ error: error.message }, 'event failed');
    // Not acknowledged then, so Slack delivers it again.
    throw error;
  });
  app.command('/diagnose', async ({ command, ack }) => {
    const answer = await trace.span('slack command', {}, () => dispatch(command, bot));
    if (answer === null) return await ack();
    const text = textInLanguage(answer, bot.languages.ofUser(command.user_id));
    await ack({ response_type: 'ephemeral', text });
  });
  app.event('app_mention', async ({ event, body }) => {
    if (event.user === undefined || event.bot_id !== undefined) return;
    await queue.accept(mentionOf({ ...event, user: event.user }, body, queue.now()));
  });
  app.event('message', async ({ event, body }) => {
    // Edits, joins, other apps and our own posts have a subtype or a bot's id.
    if (event.subtype !== undefined || event.bot_id !== undefined || event.thread_ts === undefined) return;
    if (event.parent_user_id !== me.userId || !isThreadCommand(event.text ?? '', bot)) return;
    await queue.accept(mentionOf({ ...event, text: event.text ?? '' }, body, queue.now()));
  });
  listenToInteractions(app, bot);
};
