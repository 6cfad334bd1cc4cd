import type { Slack } from './context.ts';
import { asSent } from './messages.ts';
import type { SlackMessage } from './types.ts';
import type { WorldChannel } from './world.ts';

/** The body of an Events API request around one event. */
export function eventBody(slack: Slack, event: Record<string, unknown>, channel?: WorldChannel) {
  const { team, app } = slack.state.world;
  return {
    token: slack.secrets.verificationToken,
    team_id: team.id,
    context_team_id: team.id,
    context_enterprise_id: null,
    api_app_id: app.id,
    event,
    type: 'event_callback',
    event_id: slack.state.newId('Ev'),
    event_time: Math.floor(Date.now() / 1000),
    authorizations: [
      { enterprise_id: null, team_id: team.id, user_id: app.botUserId, is_bot: true, is_enterprise_install: false },
    ],
    is_ext_shared_channel: channel?.isExtShared ?? false,
    event_context: slack.state.newId('4-'),
  };
}

/** Sends an event to the app, when it is subscribed to its type. */
export function sendEvent(slack: Slack, event: Record<string, unknown>, channel?: WorldChannel): void {
  if (!slack.settings.subscriptions.includes(String(event.type))) return;
  void slack.delivery.event(eventBody(slack, event, channel));
}

/** Tells the app of what happens in the channels it is in, as Slack does. Returns what ends it. */
export function sendEventsOfChanges(slack: Slack): () => void {
  const { changes, world } = slack.state;
  const heardIn = (id: string): WorldChannel | undefined => {
    return world.channels.find((channel) => channel.id === id && channel.members.includes(world.app.botUserId));
  };
  const ends = [
    changes.on('message', ({ message }) => {
      const channel = heardIn(message.channel);
      if (channel !== undefined) sendMessageEvents(slack, message, channel);
    }),
    changes.on('update', ({ message, previous }) => {
      const channel = heardIn(message.channel);
      if (channel === undefined) return;
      const ts = slack.state.nextTs();
      sendEvent(
        slack,
        {
          ...messageEvent(channel, ts),
          subtype: 'message_changed',
          hidden: true,
          message: asSent(message),
          previous_message: asSent(previous),
        },
        channel,
      );
    }),
    changes.on('delete', ({ message }) => {
      const channel = heardIn(message.channel);
      if (channel === undefined) return;
      const ts = slack.state.nextTs();
      sendEvent(
        slack,
        {
          ...messageEvent(channel, ts),
          subtype: 'message_deleted',
          hidden: true,
          deleted_ts: message.ts,
          previous_message: asSent(message),
        },
        channel,
      );
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}

function messageEvent(channel: WorldChannel, ts: string) {
  return {
    type: 'message',
    channel: channel.id,
    channel_type: channel.kind === 'im' ? 'im' : channel.isPrivate ? 'group' : 'channel',
    ts,
    event_ts: ts,
  };
}

function sendMessageEvents(slack: Slack, message: SlackMessage, channel: WorldChannel): void {
  const { app, users, team } = slack.state.world;
  const author = users.find((user) => user.id === message.user);
  const foreign =
    author !== undefined && author.teamId !== team.id ? { user_team: author.teamId, source_team: author.teamId } : {};
  const base = { ...asSent(message), ...foreign };
  const mentions = message.bot_id === undefined && message.text.includes(`<@${app.botUserId}>`);
  if (mentions) {
    const { type: _type, ...mention } = base;
    sendEvent(slack, { ...mention, type: 'app_mention', channel: channel.id, event_ts: message.ts }, channel);
  }
  sendEvent(slack, { ...base, ...messageEvent(channel, message.ts) }, channel);
}
