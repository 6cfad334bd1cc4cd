import type { App } from '@slack/bolt';
import { z } from 'zod';
import type { Press } from '../infra/queue/messages.ts';
import { BUTTON_ID } from './buttons.ts';
import type { BotContext } from './context.ts';
import { cancelFromHome, HomePress, refreshHome } from './home/home.ts';
import { CANCEL, HOME_BUTTON } from './home/view.ts';
import { HOST_FIELD, LOOK_FORM, offerHosts, submitLookForm } from './look-form.ts';
import { ACTION_FORM, openActionForm, submitActionForm } from './press-form.ts';
import { textInLanguage } from './slack/in-language.ts';

/** What Slack sends of a press or a pick, as far as it is read. */
const Pressing = z.object({
  user: z.object({ id: z.string(), team_id: z.string().optional() }),
  team: z.object({ id: z.string() }).nullish(),
  channel: z.object({ id: z.string() }),
  trigger_id: z.string(),
  container: z.object({ message_ts: z.string(), thread_ts: z.string().optional() }),
});
const PressedElement = z.object({
  value: z.string().optional(),
  block_id: z.string(),
  action_id: z.string(),
  selected_option: z.object({ value: z.string() }).nullish(),
});

const pressOf = (body: unknown, element: unknown, teamId: string, at: number): Press | null => {
  const press = Pressing.safeParse(body).data;
  const what = PressedElement.safeParse(element).data;
  // A list has its id in the block's id, because its value is what was picked.
  const token = what?.value ?? what?.block_id;
  if (press === undefined || token === undefined) return null;
  const { user, team, channel, container } = press;
  const picked = what?.selected_option?.value;
  return {
    kind: 'press',
    id: press.trigger_id,
    team: user.team_id ?? team?.id ?? teamId,
    channel: channel.id,
    user: user.id,
    messageTs: container.message_ts,
    ...(container.thread_ts === undefined ? {} : { threadTs: container.thread_ts }),
    token,
    ...(picked === undefined ? {} : { picked }),
    at,
  };
};

/** Complaints about fields, as the person who filled them in reads them; Slack shows them as plain text. */
const inTheirs = (
  errors: Readonly<Record<string, string>>,
  user: string,
  { languages }: BotContext,
): Record<string, string> =>
  Object.fromEntries(
    Object.entries(errors).map(([field, said]) => [
      field,
      textInLanguage(said, languages.ofUser(user)).replaceAll('`', ''),
    ]),
  );

/** Connects what people press, pick and fill in. What takes longer than Slack waits goes through the queue. */
export const listenToInteractions = (app: App, bot: BotContext): void => {
  const { queue, me } = bot;
  app.action(new RegExp(`^${BUTTON_ID}`), async ({ ack, body, action }) => {
    const press = pressOf(body, action, me.teamId, bot.queue.now());
    // A modal has to be opened here and now; where it cannot be, the queue tells the person why.
    if (press !== null && !(await openActionForm(press, bot))) await queue.accept(press);
    await ack();
  });
  app.view(ACTION_FORM, async ({ ack, body }) => {
    const errors = await submitActionForm(body, bot);
    await (errors === null ? ack() : ack({ response_action: 'errors', errors: inTheirs(errors, body.user.id, bot) }));
  });
  app.view(LOOK_FORM, async ({ ack, body }) => {
    const errors = await submitLookForm(body, bot);
    await (errors === null ? ack() : ack({ response_action: 'errors', errors: inTheirs(errors, body.user.id, bot) }));
  });
  app.event('app_home_opened', async ({ event }) => {
    if (event.tab === 'home') await refreshHome(event.user, bot);
  });
  app.action(new RegExp(`^${HOME_BUTTON}`), async ({ ack, body, action }) => {
    const pressed = HomePress.safeParse({ ...body, action }).data;
    if (pressed?.action.action_id === CANCEL) await cancelFromHome(pressed, bot);
    if (pressed !== undefined) await refreshHome(pressed.user.id, bot);
    await ack();
  });
  app.options(HOST_FIELD, async ({ ack, options }) => {
    await ack({ options: offerHosts(options.value, bot) });
  });
};
