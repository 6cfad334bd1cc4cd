import type { KnownBlock } from '@slack/types';
import type { AnswerTools, Delivery } from '../../infra/queue/bot-side.ts';
import type { RecentLook } from '../../infra/queue/lately.ts';
import type { Answer, Refusal } from '../../infra/queue/messages.ts';
import type { Failure, Origin, Report, Request } from '../../playbooks/model/index.ts';
import { verdictOf } from '../../playbooks/report-parts.ts';
import { inLanguage } from '../../playbooks/words/index.ts';
import { buttonRow } from '../buttons.ts';
import type { BotContext } from '../context.ts';
import { compareWithHistory, keepAnswer } from '../history/keep.ts';
import { isAboutContent, SlackRefused } from '../slack/errors.ts';
import type { Content } from '../slack/shapes.ts';
import { attachFiles } from './files.ts';
import { failureContent, reportContent, sentenceContent } from './first-message.ts';
import { postOnce } from './post-once.ts';
import { renderReport } from './render.ts';
import { offerButtons } from './report-buttons.ts';
import { resolvedBy, withResolved } from './resolved.ts';
import { askerOf, showing } from './showing.ts';

type SlackOrigin = Extract<Origin, { kind: 'slack' }>;

/** Edits the message that shows the look to its final state. One that cannot be edited any more (deleted) is no reason to stop. */
const finish = async (request: Request, origin: SlackOrigin, content: Content, bot: BotContext): Promise<void> => {
  const { at, mark, edited } = showing(request, origin);
  const thread = { channel: at.channel, threadTs: at.ts };
  try {
    await bot.queue.turns.final(edited, async () => {
      const resolved = mark.part === 'first' ? await resolvedBy(bot, thread) : null;
      // Said while the look went on: its end must not take that away.
      const late = resolved !== null && resolved.at > request.requestedAt;
      await bot.slack.edit(at, late ? withResolved(content, thread, resolved) : content, mark, 'wait');
    });
  } catch (error) {
    if (!(error instanceof SlackRefused)) throw error;
    bot.log.warn(
      { requestId: request.id, channel: at.channel, code: error.code },
      'message of the look cannot be edited',
    );
  }
};

const placeOf = (origin: SlackOrigin, since: number) => ({ channel: origin.channel, threadTs: origin.threadTs, since });

const postSentence = async (
  id: string,
  origin: SlackOrigin,
  since: number,
  sentence: string,
  part: string,
  attempt: number,
  { slack, me, languages }: BotContext,
  buttons: readonly KnownBlock[] = [],
): Promise<void> => {
  const said = sentenceContent(inLanguage(sentence, languages.ofLook(origin)), askerOf(origin));
  const content = { ...said, blocks: [...said.blocks, ...buttons] };
  await postOnce(slack, me.botId, placeOf(origin, since), content, { request_id: id, part }, attempt);
};

/** The report's messages in their order, then its files, then what can be done next. */
const postParts = async (
  report: Report,
  answer: Answer,
  origin: SlackOrigin,
  tools: AnswerTools,
  bot: BotContext,
): Promise<void> => {
  const { request } = answer;
  const place = placeOf(origin, request.requestedAt);
  for (const [index, content] of renderReport(report, askerOf(origin), bot.languages.ofLook(origin)).entries()) {
    const mark = { request_id: request.id, part: `report-${index + 1}` };
    try {
      await postOnce(bot.slack, bot.me.botId, place, content, mark, tools.attempt);
    } catch (error) {
      // The files below have the whole report, so a part that Slack does not like is no reason to withhold them.
      if (!(error instanceof SlackRefused) || !isAboutContent(error)) throw error;
      bot.log.error(
        { requestId: request.id, part: mark.part, code: error.code },
        'part of the report refused by Slack',
      );
    }
  }
  try {
    await attachFiles(report, answer, place, tools, bot);
  } catch (error) {
    if (!(error instanceof SlackRefused)) throw error;
    bot.log.warn({ requestId: request.id, code: error.code, method: error.method }, 'files refused by Slack');
    const sentence = `Slack does not let me attach report and evidence (${error.code}); the app may lack the scope \`files:write\`.`;
    await postSentence(request.id, origin, request.requestedAt, sentence, 'no-files', tools.attempt, bot);
  }
  await offerButtons(request, origin, tools.attempt, bot);
};

/** All of the work is tried, whatever becomes of one part; then the first failure is thrown. */
const both = async (...work: Promise<void>[]): Promise<void> => {
  for (const ended of await Promise.allSettled(work)) if (ended.status === 'rejected') throw ended.reason;
};

/** A channel that takes no posts any more cannot be told so in itself: the log has it, and the answer is done. */
const unlessRefused = async (id: string, origin: SlackOrigin, bot: BotContext, work: () => Promise<void>) => {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof SlackRefused)) throw error;
    bot.log.error(
      { requestId: id, channel: origin.channel, code: error.code, method: error.method },
      'answer refused by Slack',
    );
  }
};

/** A button for the process that runs in the place of one that has gone. */
const insteadOf = async (
  request: Request,
  origin: SlackOrigin,
  { instead }: Failure,
  bot: BotContext,
): Promise<KnownBlock[]> => {
  if (instead === undefined) return [];
  const { host, playbook, windowSeconds, options } = request;
  const look = showing(request, origin).mark;
  const data = { threadTs: origin.threadTs, look, host, ...instead, playbook, windowSeconds, options };
  const label = inLanguage(`Look at pid ${instead.pid} instead`, bot.languages.ofLook(origin));
  return [await buttonRow(bot, [{ action: 'instead', label, data, style: 'primary' }])];
};

const failLook = async (
  request: Request,
  origin: SlackOrigin,
  failure: Failure,
  attempt: number,
  bot: BotContext,
): Promise<void> => {
  const buttons = await insteadOf(request, origin, failure, bot);
  // The edit may have to wait for its turn; the thread need not.
  await both(
    finish(request, origin, failureContent(request, askerOf(origin), failure, bot.languages.ofLook(origin)), bot),
    postSentence(request.id, origin, request.requestedAt, failure.sentence, 'failure', attempt, bot, buttons),
  );
};

/** A look that has ended, for lists of what was looked at lately. */
const recentOf = ({ request, outcome }: Answer, { channel, threadTs, user }: SlackOrigin): RecentLook => {
  const { id, host, pid, playbook, requestedAt: at } = request;
  const look = { requestId: id, host, pid, playbook, channel, threadTs, user, at };
  if (outcome.kind === 'failure') {
    const { code, sentence } = outcome.failure;
    return { ...look, state: code === 'cancelled' ? 'cancelled' : 'failed', cause: null, failure: sentence };
  }
  const { verdict, first } = verdictOf(outcome.report);
  return { ...look, state: verdict, cause: first?.cause ?? null, failure: null };
};

/** Sets the errand that waits for this answer, which finds it in the queue under the request's id. */
const handOver = async ({ request }: Answer, { handTo }: SlackOrigin, { queue }: BotContext): Promise<void> => {
  if (handTo === undefined) return;
  const data = { ...handTo.data, requestId: request.id };
  await queue.accept({ kind: 'errand', id: `answered-${request.id}`, errand: handTo.errand, data, at: queue.now() });
};

/**
 * Shows the end of a look in its thread: first message, report, files; or the sentence of a failure. Safe to repeat,
 * all of it. Throws to be called again: when Slack or the queue do not answer.
 */
export const showAnswer = async (answer: Answer, tools: AnswerTools, bot: BotContext): Promise<void> => {
  const { request, outcome } = answer;
  const { origin } = request;
  if (origin.kind !== 'slack') {
    bot.log.warn({ requestId: request.id, origin: origin.kind }, 'answer is not for Slack');
    return;
  }
  await handOver(answer, origin, bot);
  await keepAnswer(answer, origin, bot);
  if (origin.quiet === true) return;
  await bot.queue.recentLooks.put(request.id, request.requestedAt, recentOf(answer, origin));
  await unlessRefused(request.id, origin, bot, () =>
    outcome.kind === 'report'
      ? both(
          finish(
            request,
            origin,
            reportContent(request, askerOf(origin), outcome.report, undefined, bot.languages.ofLook(origin)),
            bot,
          ),
          postParts(outcome.report, answer, origin, tools, bot),
        )
      : failLook(request, origin, outcome.failure, tools.attempt, bot),
  );
  await compareWithHistory(answer, bot);
};

/**
 * Shows the end of a look by its headline alone, with one block more that says where the rest is. Safe to repeat. Throws to be
 * called again: when Slack or the queue do not answer.
 */
export const showHeadline = async (answer: Answer, more: KnownBlock, bot: BotContext): Promise<void> => {
  const { request, outcome } = answer;
  const { origin } = request;
  if (origin.kind !== 'slack' || outcome.kind !== 'report') return;
  const content = reportContent(request, askerOf(origin), outcome.report, '', bot.languages.ofLook(origin));
  await finish(request, origin, { ...content, blocks: [...content.blocks, more] }, bot);
};

/** Tells a thread that what came for it could not be read. Safe to repeat. */
export const showRefusal = async (refusal: Refusal, { attempt }: Delivery, bot: BotContext): Promise<void> => {
  const { origin, requestId, failure } = refusal;
  if (origin.kind !== 'slack') return;
  const since = bot.queue.now() - 24 * 3600 * 1000;
  await unlessRefused(requestId, origin, bot, () =>
    postSentence(requestId, origin, since, failure.sentence, 'refusal', attempt, bot),
  );
};
