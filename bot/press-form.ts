import { z } from 'zod';
import { QueueUnavailable } from '../infra/queue/connection.ts';
import type { Press } from '../infra/queue/messages.ts';
import type { BotContext } from './context.ts';
import { complaints, filledIn, metadataOf, modal, Submission } from './form.ts';
import { weigh } from './press.ts';
import { SlackAway, SlackRefused } from './slack/errors.ts';
import { soon } from './soon.ts';

/** What the modals of all buttons are called towards Slack. */
export const ACTION_FORM = 'straceback-action';

/** What a modal has to know of the button that opened it. */
const Opened = z.object({
  token: z.string().max(100),
  channel: z.string(),
  messageTs: z.string(),
  threadTs: z.string().optional(),
});

/**
 * Opens the modal of a button that has one. False when there is none to open, or it could not be opened: then the press goes the
 * way of all others, which says why. Throws QueueUnavailable.
 */
export const openActionForm = async (press: Press, bot: BotContext): Promise<boolean> => {
  const usable = await weigh(press, bot);
  if (typeof usable === 'string' || usable.unit.form === undefined) return false;
  const { form } = usable.unit;
  const { token, channel, messageTs, threadTs } = press;
  try {
    if ((await soon('users.info', bot.access.refusal(press))) !== null) return false;
    const view = modal(ACTION_FORM, form, form.blocks(usable.data, bot), { token, channel, messageTs, threadTs });
    await soon('views.open', bot.slack.openView(press.id, view, press.user));
    return true;
  } catch (error) {
    // The same press, delivered twice: its modal is open.
    if (error instanceof SlackRefused && error.code === 'exchanged_trigger_id') return true;
    if (!(error instanceof SlackRefused || error instanceof SlackAway)) throw error;
    bot.log.warn({ channel, error: error.message }, 'modal could not be opened');
    return false;
  }
};

const AGAIN = 'I cannot tell any more what this was for. Close it and press the button again.';

/** Takes a submitted modal in as a press with its answers. Returns a sentence for each field that is wrong, or null. */
export const submitActionForm = async (body: unknown, bot: BotContext): Promise<Record<string, string> | null> => {
  const submission = Submission.safeParse(body).data;
  if (submission === undefined) {
    bot.log.error({}, 'submission refused: it does not parse');
    return null;
  }
  const opened = metadataOf(submission, Opened);
  const form = filledIn(submission);
  const first = (message: string) =>
    complaints(new z.ZodError([{ code: 'custom', path: [], message, input: undefined }]), submission);
  if (opened === null) return first(AGAIN);
  const { user, team, view } = submission;
  const press: Press = {
    kind: 'press',
    // One submission of one modal, however often it is delivered.
    id: `form-${view.id}`,
    team: user.team_id ?? team?.id ?? bot.me.teamId,
    user: user.id,
    ...opened,
    form,
    at: bot.queue.now(),
  };
  try {
    const usable = await weigh(press, bot);
    // The sentence may name a person, which a modal would show as an id.
    if (typeof usable === 'string') return first(usable.replace(/ by <@[^>]*>/, ''));
    const answers = usable.unit.form?.answers.safeParse(form);
    if (answers?.success !== true) return answers === undefined ? first(AGAIN) : complaints(answers.error, submission);
    await bot.queue.accept(press);
    return null;
  } catch (error) {
    if (!(error instanceof QueueUnavailable)) throw error;
    return first(error.message);
  }
};
