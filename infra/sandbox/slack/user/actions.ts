import { z } from 'zod';
import type { Block } from '../blocks/index.ts';
import { PlainOption } from '../blocks/text.ts';
import type { Slack } from '../context.ts';
import type { Ack } from '../delivery.ts';
import { asSent, findMessage } from '../messages.ts';
import { stackOf } from '../methods/views.ts';
import type { ResponseTarget } from '../response-urls.ts';
import type { ChosenOption, SlackMessage } from '../types.ts';
import {
  type ActiveElement,
  elementsIn,
  type Given,
  initialState,
  type PlacedElement,
  valueFrom,
} from '../view-state.ts';
import { findChannel, type WorldUser } from '../world.ts';
import { actionTs, interactionBase } from './payloads.ts';

/** What an app may answer to a block_suggestion: at most 100 options. */
const Offered = z.object({ options: z.array(PlainOption).max(100).default([]) });

/** Enough of a message to find it again. */
export interface MessagePlace {
  channel: string;
  ts: string;
}

export interface ActResult {
  ack: Ack;
  triggerId: string;
  /** Empty for an act in a view. */
  responseUrl: string;
  responses: SlackMessage[];
}

/** The message as it stands now, when this person can see it. Throws when not. */
function visibleMessage(slack: Slack, user: WorldUser, place: MessagePlace): SlackMessage {
  const ephemeral = slack.state.ephemerals.find((message) => message.ts === place.ts);
  if (ephemeral !== undefined && ephemeral.ephemeral_to === user.id) return ephemeral;
  const message = findMessage(slack.state, place.channel, place.ts);
  if (message === undefined) throw new Error(`${user.name} sees no message ${place.ts} in ${place.channel}`);
  const channel = findChannel(slack.state.world, message.channel);
  if (!channel.members.includes(user.id)) throw new Error(`${user.name} is not in #${channel.name}`);
  return message;
}

function blocksOf(message: SlackMessage): Block[] {
  const attached = (message.attachments ?? []).flatMap((attachment) => {
    // Attachments were checked when they were posted: their blocks are blocks.
    const { blocks } = attachment as { blocks?: Block[] };
    return blocks ?? [];
  });
  return [...(message.blocks ?? []), ...attached];
}

/** The element of that action id; among several buttons the one with the value. Throws when there is none. */
export function findElement(blocks: Block[], actionId: string, given: Given): PlacedElement {
  const all = elementsIn(blocks).filter((placed) => placed.actionId === actionId);
  const exact = all.find(({ element }) => element.type === 'button' && element.value === given);
  const found = exact ?? all[0];
  if (found === undefined) {
    const there = elementsIn(blocks).map((placed) => placed.actionId);
    throw new Error(`there is no element ${actionId}; there are: ${there.join(', ') || 'none'}`);
  }
  return found;
}

/** One entry of `actions` in a block_actions payload. */
export function actionEntry(slack: Slack, placed: PlacedElement, given: Given, suggested: ChosenOption[]) {
  const { element } = placed;
  const base = { action_id: placed.actionId, block_id: placed.blockId, type: element.type, action_ts: actionTs(slack) };
  if (element.type === 'button') {
    return {
      ...base,
      text: element.text,
      ...(element.value === undefined ? {} : { value: element.value }),
      ...(element.style === undefined ? {} : { style: element.style }),
    };
  }
  return { ...base, ...valueFrom(element, given, suggested) };
}

/** Acts on an element of a message: a button pressed, an option chosen. */
export async function act(
  slack: Slack,
  user: WorldUser,
  place: MessagePlace,
  actionId: string,
  given: Given,
): Promise<ActResult> {
  const message = visibleMessage(slack, user, place);
  const placed = findElement(blocksOf(message), actionId, given);
  const suggested = await suggestionsFor(slack, user, placed, given, message);
  const channel = findChannel(slack.state.world, message.channel);
  const target: ResponseTarget = { user: user.id, channel: channel.id, message, responses: [] };
  const responseUrl = `${slack.origin()}${slack.responseUrls.issue(target)}`;
  const triggerId = slack.triggers.issue({ user: user.id });
  const ack = await slack.delivery.ask('interactive', {
    type: 'block_actions',
    ...interactionBase(slack, user),
    container: containerOf(message),
    trigger_id: triggerId,
    channel: { id: channel.id, name: channel.kind === 'im' ? 'directmessage' : channel.name },
    message: asSent(message),
    state: { values: initialState(blocksOf(message)) },
    response_url: responseUrl,
    actions: [actionEntry(slack, placed, given, suggested)],
  });
  return { ack, triggerId, responseUrl, responses: target.responses };
}

function containerOf(message: SlackMessage) {
  return {
    type: 'message',
    message_ts: message.ts,
    channel_id: message.channel,
    is_ephemeral: message.ephemeral_to !== undefined,
    ...(message.thread_ts === undefined ? {} : { thread_ts: message.thread_ts }),
  };
}

/** The options of an external menu that hold the chosen value: what was offered last, else asked of the app now. */
export async function suggestionsFor(
  slack: Slack,
  user: WorldUser,
  placed: PlacedElement,
  given: Given,
  message?: SlackMessage,
): Promise<ChosenOption[]> {
  if (placed.element.type !== 'external_select' || given === null) return [];
  const value = Array.isArray(given) ? (given[0] ?? '') : given;
  const offered = slack.state.offered.get(`${user.id} ${placed.actionId}`) ?? [];
  if (offered.some((option) => option.value === value)) return offered;
  return askForOptions(slack, user, placed, value, message);
}

/** What an external menu offers for a typed text. */
export async function suggest(
  slack: Slack,
  user: WorldUser,
  actionId: string,
  typed: string,
  place?: MessagePlace,
): Promise<ChosenOption[]> {
  const message = place === undefined ? undefined : visibleMessage(slack, user, place);
  const blocks = message === undefined ? (stackOf(slack, user.id).at(-1)?.blocks ?? []) : blocksOf(message);
  return askForOptions(slack, user, findElement(blocks, actionId, null), typed, message);
}

async function askForOptions(
  slack: Slack,
  user: WorldUser,
  placed: PlacedElement,
  typed: string,
  message: SlackMessage | undefined,
): Promise<ChosenOption[]> {
  const element: ActiveElement = placed.element;
  if (element.type !== 'external_select') throw new Error(`${placed.actionId} is no external menu`);
  const view = stackOf(slack, user.id).at(-1);
  const container = message === undefined ? { type: 'view', view_id: view?.id } : containerOf(message);
  const ack = await slack.delivery.ask('interactive', {
    type: 'block_suggestion',
    ...interactionBase(slack, user),
    container,
    action_id: placed.actionId,
    block_id: placed.blockId,
    value: typed,
    ...(message === undefined ? { view } : { message: asSent(message), channel: { id: message.channel } }),
  });
  if (!ack.acked) throw new Error(`the app offered nothing: ${ack.reason}`);
  const offered = Offered.safeParse(ack.payload ?? {});
  // Slack's client shows an empty menu then; here the fault is to be seen.
  if (!offered.success) throw new Error(`Slack would not take these options: ${offered.error.message}`);
  const { options } = offered.data;
  slack.state.offered.set(`${user.id} ${placed.actionId}`, options);
  return options;
}
