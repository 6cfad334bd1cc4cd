import { z } from 'zod';
import type { Slack } from '../context.ts';
import type { Ack, AckFailure } from '../delivery.ts';
import { checkedModal, pushView, replaceView, setStack, stackOf } from '../methods/views.ts';
import type { SlackView } from '../types.ts';
import { elementsIn, type Given, isEmpty, valueFrom } from '../view-state.ts';
import type { WorldUser } from '../world.ts';
import { type ActResult, actionEntry, findElement, suggestionsFor } from './actions.ts';
import { interactionBase } from './payloads.ts';

/** What became of a submission: taken, sent back with a sentence for each block, or not answered. */
export type SubmitResult =
  | { ok: true }
  | { ok: false; errors: Record<string, string> }
  | { ok: false; failed: AckFailure | 'invalid_response' };

const SubmissionAnswer = z.discriminatedUnion('response_action', [
  z.object({ response_action: z.literal('errors'), errors: z.record(z.string(), z.string()) }),
  z.object({ response_action: z.literal('update'), view: z.unknown() }),
  z.object({ response_action: z.literal('push'), view: z.unknown() }),
  z.object({ response_action: z.literal('clear') }),
]);

function topView(slack: Slack, user: WorldUser): SlackView {
  const view = stackOf(slack, user.id).at(-1);
  if (view === undefined) throw new Error(`${user.name} has no modal open`);
  return view;
}

/** Fills in and submits the modal on top, as Slack's client does: empty required fields are not even sent. */
export async function submitView(slack: Slack, user: WorldUser, values: Record<string, Given>): Promise<SubmitResult> {
  const view = topView(slack, user);
  if (view.submit === null) throw new Error('this modal has no submit button');
  await fill(slack, user, view, values);
  const missing = missingFields(view);
  if (Object.keys(missing).length > 0) return { ok: false, errors: missing };
  const ack = await slack.delivery.ask('interactive', {
    type: 'view_submission',
    ...interactionBase(slack, user),
    trigger_id: slack.triggers.issue({ user: user.id }),
    view,
    response_urls: [],
  });
  return afterSubmission(slack, user, view, ack);
}

async function fill(slack: Slack, user: WorldUser, view: SlackView, values: Record<string, Given>): Promise<void> {
  for (const [name, given] of Object.entries(values)) {
    const placed = elementsIn(view.blocks).find((each) => each.blockId === name || each.actionId === name);
    if (placed === undefined) throw new Error(`the modal has no field ${name}`);
    const suggested = await suggestionsFor(slack, user, placed, given);
    const value = valueFrom(placed.element, given, suggested);
    view.state.values[placed.blockId] = { ...view.state.values[placed.blockId], [placed.actionId]: value };
  }
}

function missingFields(view: SlackView): Record<string, string> {
  const missing = elementsIn(view.blocks).filter(({ required, blockId, actionId }) => {
    return required && isEmpty(view.state.values[blockId]?.[actionId]);
  });
  return Object.fromEntries(missing.map(({ blockId }) => [blockId, 'Please complete this required field.']));
}

function afterSubmission(slack: Slack, user: WorldUser, view: SlackView, ack: Ack): SubmitResult {
  if (!ack.acked) return { ok: false, failed: ack.reason };
  const stack = stackOf(slack, user.id);
  const isEmptyAnswer = ack.payload === undefined || ack.payload === null || Object.keys(ack.payload).length === 0;
  if (isEmptyAnswer) {
    setStack(
      slack,
      user.id,
      stack.filter((each) => each.id !== view.id),
    );
    return { ok: true };
  }
  const answer = SubmissionAnswer.safeParse(ack.payload);
  if (!answer.success) return { ok: false, failed: 'invalid_response' };
  try {
    return apply(slack, user, view, answer.data);
  } catch {
    // A view that Slack would refuse: its client only says that something went wrong.
    return { ok: false, failed: 'invalid_response' };
  }
}

function apply(slack: Slack, user: WorldUser, view: SlackView, answer: z.infer<typeof SubmissionAnswer>): SubmitResult {
  switch (answer.response_action) {
    case 'errors': {
      const known = Object.keys(answer.errors).every((id) => {
        return view.blocks.some((block) => block.type === 'input' && block.block_id === id);
      });
      return known ? { ok: false, errors: answer.errors } : { ok: false, failed: 'invalid_response' };
    }
    case 'clear':
      setStack(slack, user.id, []);
      return { ok: true };
    case 'update':
      replaceView(slack, user.id, view, checkedModal(answer.view));
      return { ok: true };
    case 'push':
      pushView(slack, user.id, checkedModal(answer.view));
      return { ok: true };
  }
}

/** Acts on an element of the open modal or the home tab that tells the app at once. */
export async function actInView(
  slack: Slack,
  user: WorldUser,
  actionId: string,
  given: Given,
  where: 'modal' | 'home',
): Promise<ActResult> {
  const view = where === 'modal' ? topView(slack, user) : slack.state.homes.get(user.id);
  if (view === undefined) throw new Error(`${user.name} sees no home tab`);
  const placed = findElement(view.blocks, actionId, given);
  const suggested = await suggestionsFor(slack, user, placed, given);
  const action = actionEntry(slack, placed, given, suggested);
  if (placed.element.type !== 'button' && placed.element.type !== 'overflow') {
    const value = valueFrom(placed.element, given, suggested);
    view.state.values[placed.blockId] = { ...view.state.values[placed.blockId], [placed.actionId]: value };
  }
  const triggerId = slack.triggers.issue({ user: user.id });
  if (!placed.dispatches) throw new Error(`${actionId} tells the app nothing before it is submitted`);
  const ack = await slack.delivery.ask('interactive', {
    type: 'block_actions',
    ...interactionBase(slack, user),
    container: { type: 'view', view_id: view.id },
    trigger_id: triggerId,
    view,
    actions: [action],
  });
  return { ack, triggerId, responseUrl: '', responses: [] };
}

/** Closes the modal on top; the app is told when it asked to be. */
export async function closeView(slack: Slack, user: WorldUser): Promise<void> {
  const view = topView(slack, user);
  const stack = stackOf(slack, user.id);
  setStack(slack, user.id, view.clear_on_close ? [] : stack.slice(0, -1));
  if (!view.notify_on_close) return;
  await slack.delivery.ask('interactive', {
    type: 'view_closed',
    ...interactionBase(slack, user),
    view,
    is_cleared: view.clear_on_close,
  });
}
