import type { KnownBlock } from '@slack/types';
import { StoredFile } from '../../infra/queue/messages.ts';
import { Reply, type Step } from '../../playbooks/model/index.ts';
import { buttonRow } from '../buttons.ts';
import type { BotContext } from '../context.ts';
import { defineErrand } from '../errand.ts';
import { askForLook } from '../followups/tool.shared.ts';
import { Asking, putQuestion, saidFor, transcriptId } from '../questions/put.ts';
import { answerContent, isPast, lookingContent, runLabel } from '../questions/show.ts';
import { harmlessSteps, offeredSteps } from '../questions/steps.ts';
import { SlackRefused } from '../slack/errors.ts';
import type { Content } from '../slack/shapes.ts';
import { amend } from '../thread/amend.ts';
import { PROSE_NOTE } from './prose.ts';

/** The errand that goes on when the step that was asked for has been made. */
const STEP_ERRAND = 'question-step';
const KEEP_SECONDS = 24 * 3600;

const Data = Asking.extend({ reply: Reply, file: StoredFile.optional() });

const show = async (
  { mention, messageTs, thread, made }: Asking,
  bot: BotContext,
  state: number,
  content: () => Content | Promise<Content>,
): Promise<void> => {
  try {
    const place = { channel: mention.channel, ts: messageTs, threadTs: thread.ts };
    await amend(bot, place, async (there) => (isPast(there, state) ? null : await content()));
  } catch (error) {
    // A message that was deleted shows nothing; what was asked for is no less done.
    if (!(error instanceof SlackRefused)) throw error;
    bot.log.warn({ question: mention.id, steps: made.length, code: error.code }, 'answer refused by Slack');
  }
};

/** The step that the model asked for, as the same thread command makes it; never more than harmless. */
const makeStep = async (
  asking: Asking,
  { verb, text }: { readonly verb: string; readonly text: string | null },
  attempt: number,
  bot: BotContext,
): Promise<void> => {
  const { mention, thread, process, startTime, made } = asking;
  const step = harmlessSteps(bot).find((each) => each.verb === verb);
  const withStep: Asking = { ...asking, made: [...made, { verb, text }] };
  const language = await bot.languages.ofThread(mention.channel, thread.ts, mention.user);
  let refused: string | null = 'there is no such step, or it was made already';
  if (step !== undefined && !made.some((each) => each.verb === verb && each.text === text)) {
    await show(withStep, bot, withStep.made.length, () => lookingContent(withStep, 'closer', language));
    const options =
      text === null || step.takes === undefined ? undefined : { [step.takes.probe]: { [step.takes.option]: text } };
    const words = [process.host, String(process.pid), step.playbook];
    const handTo = { errand: STEP_ERRAND, data: withStep };
    const why = 'The model asked for this to answer a question.';
    const found = { why, handTo, atMost: ['none'] as const, ...(startTime === undefined ? {} : { startTime }) };
    refused = await askForLook(saidFor(withStep, attempt, true), bot, words, options, found);
  }
  if (refused === null) return;
  bot.log.info({ question: mention.id, verb, refused }, 'step for a question not made');
  // It has to do without.
  const offers = await offeredSteps(mention, process.host, bot);
  await putQuestion({ ...asking, round: asking.round + 1 }, { may: [], offers }, bot);
};

const buttonFor = ({ thread, process }: Asking, { verb }: Step, label: string, bot: BotContext): Promise<KnownBlock> =>
  buttonRow(bot, [
    {
      action: 'run-step',
      label,
      data: { threadTs: thread.ts, look: { ...thread.mark, ...process }, verb },
      style: 'primary',
    },
  ]);

const showReply = async (asking: Asking, reply: Reply, bot: BotContext): Promise<void> => {
  const { mention, thread, process } = asking;
  const language = await bot.languages.ofThread(mention.channel, thread.ts, mention.user);
  const verb = reply.said.kind === 'answer' ? reply.said.offer : null;
  const offers = verb === null ? [] : await offeredSteps(mention, process.host, bot);
  const step = offers.find((each) => each.verb === verb);
  await show(asking, bot, Number.POSITIVE_INFINITY, async () => {
    const offer =
      step === undefined ? null : { step, button: await buttonFor(asking, step, runLabel(step.verb, language), bot) };
    return answerContent(asking, reply, offer, language);
  });
};

/** A worker's reply to a question: it is shown, or the step is made that the model asked for first. */
export const replied = defineErrand({
  errand: 'replied',
  data: Data,
  run: async ({ reply, file, ...asking }, _at, { attempt }, bot) => {
    const { mention, round } = asking;
    if (file !== undefined) await bot.queue.notes.set(PROSE_NOTE, transcriptId(mention.id, round), file, KEEP_SECONDS);
    const { input, output } = reply.usage;
    const spent = { ...asking.spent, input, output };
    if (reply.said.kind === 'step') await makeStep({ ...asking, spent }, reply.said, attempt, bot);
    else await showReply(asking, reply, bot);
  },
});
