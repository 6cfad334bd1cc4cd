import { z } from 'zod';
import { checkHomeView, checkModalView, type HomeView, type ModalView } from '../blocks/index.ts';
import type { Slack } from '../context.ts';
import { withIds } from '../posting.ts';
import { SlackError } from '../slack-error.ts';
import type { SlackView } from '../types.ts';
import { initialState } from '../view-state.ts';
import { FormJson, type Method, method } from './method.ts';

const MAX_STACK = 3;

/** A modal as an app gives it, checked. Throws SlackError. */
export function checkedModal(raw: unknown): ModalView {
  const verdict = checkModalView(raw);
  if (!verdict.ok) throw new SlackError(verdict.error, verdict.problems);
  return verdict.value;
}

/** The stack of modals that a person sees, the lowest first. */
export function stackOf(slack: Slack, user: string): SlackView[] {
  return slack.state.modals.get(user) ?? [];
}

/** Sets a person's stack and tells of the view that is now on top. */
export function setStack(slack: Slack, user: string, stack: SlackView[]): void {
  slack.state.modals.set(user, stack);
  slack.state.changes.tell({ kind: 'view', user, view: stack.at(-1) });
}

/** Puts a modal on a person's stack. Throws `push_limit_reached` above three. */
export function pushView(slack: Slack, user: string, given: ModalView): SlackView {
  const stack = stackOf(slack, user);
  if (stack.length >= MAX_STACK) throw new SlackError('push_limit_reached');
  const view = build(slack, given);
  const below = stack.at(-1);
  view.root_view_id = stack[0]?.id ?? view.id;
  view.previous_view_id = below?.id ?? null;
  setStack(slack, user, [...stack, view]);
  return view;
}

/** Puts new content into a view that a person sees; ids and place stay, the values of inputs that remain too. */
export function replaceView(slack: Slack, user: string, old: SlackView, given: ModalView): SlackView {
  const next = build(slack, given);
  const view: SlackView = {
    ...next,
    id: old.id,
    root_view_id: old.root_view_id,
    previous_view_id: old.previous_view_id,
    state: { values: { ...next.state.values, ...keptValues(next, old) } },
  };
  setStack(
    slack,
    user,
    stackOf(slack, user).map((each) => (each.id === old.id ? view : each)),
  );
  return view;
}

function keptValues(next: SlackView, old: SlackView): SlackView['state']['values'] {
  const kept: SlackView['state']['values'] = {};
  for (const [blockId, actions] of Object.entries(old.state.values)) {
    const fresh = next.state.values[blockId];
    if (fresh === undefined) continue;
    const same = Object.entries(actions).filter(([actionId, value]) => fresh[actionId]?.type === value.type);
    if (same.length > 0) kept[blockId] = { ...fresh, ...Object.fromEntries(same) };
  }
  return kept;
}

function build(slack: Slack, given: ModalView | HomeView): SlackView {
  const { team, app } = slack.state.world;
  const id = slack.state.newId('V');
  const blocks = withIds(given.blocks);
  const modal = given.type === 'modal' ? given : undefined;
  return {
    id,
    team_id: team.id,
    app_id: app.id,
    bot_id: app.botId,
    type: given.type,
    hash: `${slack.state.nextTs()}.${id}`,
    callback_id: given.callback_id ?? '',
    external_id: given.external_id ?? '',
    private_metadata: given.private_metadata ?? '',
    title: modal?.title ?? null,
    submit: modal?.submit ?? null,
    close: modal?.close ?? null,
    blocks,
    clear_on_close: modal?.clear_on_close ?? false,
    notify_on_close: modal?.notify_on_close ?? false,
    root_view_id: id,
    previous_view_id: null,
    state: { values: initialState(blocks) },
  };
}

function redeem(slack: Slack, id: string): string {
  const trigger = slack.triggers.redeem(id);
  if (typeof trigger === 'string') throw new SlackError(trigger);
  return trigger.user;
}

const View = { view: FormJson };
const Trigger = { trigger_id: z.string() };

function findView(slack: Slack, args: { view_id?: string | undefined; external_id?: string | undefined }) {
  for (const [user, stack] of slack.state.modals) {
    const view = stack.find((each) => {
      return args.view_id === undefined ? each.external_id === args.external_id : each.id === args.view_id;
    });
    if (view !== undefined) return { user, view };
  }
  throw new SlackError('not_found');
}

export const viewMethods: Record<string, Method> = {
  'views.open': method('bot', z.object({ ...Trigger, ...View }), (slack, args) => {
    const view = checkedModal(args.view);
    const user = redeem(slack, args.trigger_id);
    setStack(slack, user, []);
    return { view: pushView(slack, user, view) };
  }),
  'views.push': method('bot', z.object({ ...Trigger, ...View }), (slack, args) => {
    const view = checkedModal(args.view);
    const user = redeem(slack, args.trigger_id);
    return { view: pushView(slack, user, view) };
  }),
  'views.update': method(
    'bot',
    z.object({
      view_id: z.string().optional(),
      external_id: z.string().optional(),
      hash: z.string().optional(),
      ...View,
    }),
    (slack, args) => {
      const given = checkedModal(args.view);
      const { user, view } = findView(slack, args);
      if (args.hash !== undefined && args.hash !== view.hash) throw new SlackError('hash_conflict');
      return { view: replaceView(slack, user, view, given) };
    },
  ),
  'views.publish': method(
    'bot',
    z.object({ user_id: z.string(), hash: z.string().optional(), ...View }),
    (slack, args) => {
      const verdict = checkHomeView(args.view);
      if (!verdict.ok) throw new SlackError(verdict.error, verdict.problems);
      if (!slack.state.world.users.some((user) => user.id === args.user_id)) throw new SlackError('user_not_found');
      const old = slack.state.homes.get(args.user_id);
      if (args.hash !== undefined && old !== undefined && args.hash !== old.hash) throw new SlackError('hash_conflict');
      const built = build(slack, verdict.value);
      const view = old === undefined ? built : { ...built, id: old.id, root_view_id: old.id };
      slack.state.homes.set(args.user_id, view);
      slack.state.changes.tell({ kind: 'home', user: args.user_id, view });
      return { view };
    },
  ),
};
