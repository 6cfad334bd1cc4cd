import { randomUUID } from 'node:crypto';
import type { Slack } from '../context.ts';
import { sendEvent } from '../events.ts';
import { addMessage } from '../messages.ts';
import { openIm } from '../methods/conversations.ts';
import { stackOf } from '../methods/views.ts';
import { checkThread } from '../posting.ts';
import type { ChosenOption, SlackMessage, SlackView } from '../types.ts';
import type { Given } from '../view-state.ts';
import { findChannel, findUser, type WorldUser } from '../world.ts';
import { type ActResult, act, type MessagePlace, suggest } from './actions.ts';
import { runCommand, type SlashResult } from './commands.ts';
import { actInView, closeView, type SubmitResult, submitView } from './views.ts';

export interface SayPlace {
  channel: string;
  threadTs?: string | undefined;
}

/** What a person can do in the local Slack. Each throws when the person could not do it in Slack either. */
export interface SlackUser {
  readonly id: string;
  /** Types a slash command; resolves when the app has acknowledged it or failed to. */
  slash(command: string, text: string, channel: string): Promise<SlashResult>;
  /** Posts a message; `@name` becomes a mention. */
  say(text: string, place: SayPlace): SlackMessage;
  /** Presses a button of a message; `value` picks among buttons of the same action id. */
  press(message: MessagePlace, actionId: string, value?: string): Promise<ActResult>;
  /** Chooses in a menu of a message: an option's value, a user or a channel. */
  choose(message: MessagePlace, actionId: string, given: Given): Promise<ActResult>;
  /** What an external menu offers for a typed text, in a message or in the open modal. */
  suggest(actionId: string, typed: string, message?: MessagePlace): Promise<ChosenOption[]>;
  /** The modal on top, if one is open. */
  modal(): SlackView | undefined;
  /** Fills the inputs of the open modal, by block id or action id, and submits it. */
  submitView(values?: Record<string, Given>): Promise<SubmitResult>;
  /** Acts on an element of the open modal (or, with `home`, of the home tab) that tells the app at once. */
  actInView(actionId: string, given?: Given, where?: 'modal' | 'home'): Promise<ActResult>;
  closeView(): Promise<void>;
  /** Opens the app's home tab; the app is told. */
  openHome(): SlackView | undefined;
  /** The id of the direct conversation with the bot. */
  im(): string;
}

/** The hands of one person of the workspace. Throws when there is no such person. */
export function slackUser(slack: Slack, who: string): SlackUser {
  const user = findUser(slack.state.world, who);
  return {
    id: user.id,
    slash: (command, text, channel) => runCommand(slack, user, command, text, channel),
    say: (text, place) => say(slack, user, text, place),
    press: (message, actionId, value) => act(slack, user, message, actionId, value ?? null),
    choose: (message, actionId, given) => act(slack, user, message, actionId, given),
    suggest: (actionId, typed, message) => suggest(slack, user, actionId, typed, message),
    modal: () => stackOf(slack, user.id).at(-1),
    submitView: (values = {}) => submitView(slack, user, values),
    actInView: (actionId, given = null, where = 'modal') => actInView(slack, user, actionId, given, where),
    closeView: () => closeView(slack, user),
    openHome: () => openHome(slack, user),
    im: () => openIm(slack, user.id).id,
  };
}

function say(slack: Slack, user: WorldUser, typed: string, place: SayPlace): SlackMessage {
  const channel = findChannel(slack.state.world, place.channel);
  if (!channel.members.includes(user.id)) throw new Error(`${user.name} is not in #${channel.name}`);
  if (channel.isArchived) throw new Error(`#${channel.name} is archived`);
  checkThread(slack, channel.id, place.threadTs);
  const parent = place.threadTs === undefined ? undefined : slack.state.messages.get(channel.id)?.get(place.threadTs);
  const message: SlackMessage = {
    type: 'message',
    channel: channel.id,
    ts: slack.state.nextTs(),
    user: user.id,
    team: user.teamId,
    text: withMentions(slack, typed),
    client_msg_id: randomUUID(),
    ...(place.threadTs === undefined ? {} : { thread_ts: place.threadTs }),
    ...(parent === undefined ? {} : { parent_user_id: parent.user }),
  };
  addMessage(slack.state, message);
  return message;
}

/** What Slack's composer makes of typed text: the three characters escaped, names of people and channels made links. */
function withMentions(slack: Slack, typed: string): string {
  const { users, channels, usergroups } = slack.state.world;
  const escaped = typed
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/&lt;(@[UW][A-Z0-9]+|#C[A-Z0-9]+|!subteam\^S[A-Z0-9]+)&gt;/g, '<$1>');
  return escaped
    .replace(/(^|[\s(])@([a-z0-9._-]*[a-z0-9])/g, (whole, before: string, name: string) => {
      const group = usergroups.find((each) => each.handle === name);
      if (group !== undefined) return `${before}<!subteam^${group.id}>`;
      const user = users.find((each) => each.name === name);
      return user === undefined ? whole : `${before}<@${user.id}>`;
    })
    .replace(/(^|[\s(])#([a-z0-9_-]+)/g, (whole, before: string, name: string) => {
      const channel = channels.find((each) => each.name === name);
      return channel === undefined ? whole : `${before}<#${channel.id}|${name}>`;
    });
}

function openHome(slack: Slack, user: WorldUser): SlackView | undefined {
  const view = slack.state.homes.get(user.id);
  const event = {
    type: 'app_home_opened',
    user: user.id,
    channel: openIm(slack, user.id).id,
    tab: 'home',
    event_ts: slack.state.nextTs(),
    ...(view === undefined ? {} : { view }),
  };
  sendEvent(slack, event);
  return view;
}
