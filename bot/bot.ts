import { setTimeout as sleep } from 'node:timers/promises';
import { App } from '@slack/bolt';
import { type AlertRouting, NO_ALERT_ROUTES } from '../infra/alert-routes.ts';
import { type Audit, noAudit } from '../infra/audit.ts';
import type { History } from '../infra/history/history.ts';
import type { LanguageSetting } from '../infra/language.ts';
import type { Log } from '../infra/log.ts';
import { type Counts, noCounts } from '../infra/metrics/counts.ts';
import type { BotQueue } from '../infra/queue/bot-side.ts';
import type { Mention } from '../infra/queue/messages.ts';
import { noTrace, type Trace } from '../infra/tracing/trace.ts';
import { openAccess } from './access.ts';
import { auditedAccess, auditedQueue } from './audited.ts';
import type { BotContext, CauseSummary, KnownHosts, PlaybookSummary } from './context.ts';
import { dispatch } from './dispatch.ts';
import { runErrand } from './errand.ts';
import { openAudiences } from './history/channels.ts';
import { listenToInteractions } from './interactions.ts';
import { openLanguages, queueForReaders } from './language.ts';
import { handleMention, isThreadCommand } from './mention.ts';
import { openPolicy, type PolicyOptions } from './policy.ts';
import { handlePress } from './press.ts';
import { loadActions, loadCommands, loadErrands, loadFollowUps } from './registry.ts';
import { type SlackApi, slackApi } from './slack/api.ts';
import { SlackRefused } from './slack/errors.ts';
import { slackForReaders } from './slack/for-readers.ts';
import { textInLanguage } from './slack/in-language.ts';
import { type Entrance, httpEntrance, socketEntrance, type TellState } from './slack/receivers.ts';
import { watchedCalls } from './slack/watched.ts';
import { showAnswer, showRefusal } from './thread/answer.ts';
import { openThread } from './thread/open.ts';
import { progressShow } from './thread/progress.ts';
import { countedAudit, watchedQueue } from './watched.ts';

/** How the bot reaches Slack and Slack the bot. */
export interface SlackSettings {
  readonly mode: 'socket' | 'http';
  readonly botToken: string | undefined;
  /** Socket Mode. */
  readonly appToken: string | undefined;
  /** HTTP. */
  readonly signingSecret: string | undefined;
  readonly port: number;
  /** Another Slack than Slack's own, such as the local one. */
  readonly apiUrl?: string | undefined;
  /** How long one request to Slack may take, ms. Default 10,000. */
  readonly timeoutMs?: number | undefined;
}

export interface BotOptions {
  readonly slack: SlackSettings;
  readonly queue: BotQueue;
  readonly hosts: KnownHosts;
  readonly playbooks: readonly PlaybookSummary[];
  /** What a person may say it was, when a diagnosis was wrong. */
  readonly causes?: readonly CauseSummary[];
  readonly policy: PolicyOptions;
  /** What is done with alerts; without it all of them are logged and counted. */
  readonly alerts?: AlertRouting;
  /** Of what is shown; default `reader`: that of who asked first in a thread. */
  readonly language?: LanguageSetting;
  /** Where requests, approvals and refusals are written down; nowhere when absent. */
  readonly audit?: Audit;
  /** Where looks and what became of them are kept for good; nowhere when absent. */
  readonly history?: History | undefined;
  /** How often a watch looks, ms. Default 25,000. Shorter in tests. */
  readonly watchEveryMs?: number;
  readonly log: Log;
  /** What is counted, and where work shows in traces; nowhere when absent. */
  readonly counts?: Counts;
  readonly trace?: Trace;
  /** Ends the waiting for a Slack that does not answer; `startBot` throws then. */
  readonly signal?: AbortSignal;
  /** Told how the connection to Slack is, whenever that changes. */
  readonly tell?: TellState;
}

/** The bot cannot start. `message` is a sentence that says what to set right. */
export class BotNotStarted extends Error {
  constructor(sentence: string, cause?: unknown) {
    super(sentence, { cause });
    this.name = 'BotNotStarted';
  }
}

/** A bot that listens until it is closed. */
export interface RunningBot {
  /** Takes nothing new in; what was taken in is in the queue. Close the queue after it. */
  readonly close: () => Promise<void>;
}

const wanted = (value: string | undefined, name: string, what: string): string => {
  if (value === undefined || value === '') throw new BotNotStarted(`${name} is not set: ${what}.`);
  return value;
};

/** Who the bot is. Waits for a Slack that does not answer; gives up on one that refuses the token. */
const whoAmI = async (slack: SlackApi, log: Log, tell: TellState, signal: AbortSignal | undefined) => {
  let said = false;
  for (let pause = 1_000; ; pause = Math.min(pause * 2, 30_000)) {
    try {
      return await slack.whoAmI();
    } catch (error) {
      if (error instanceof SlackRefused) {
        throw new BotNotStarted(`Slack refuses the bot token (${error.code}). Check SLACK_BOT_TOKEN.`, error);
      }
      tell({ ok: false, why: 'Slack does not answer; it is asked again and again.' });
      if (!said) log.warn({ error: String(error) }, 'Slack does not answer; it is asked until it does');
      said = true;
      await sleep(pause, undefined, signal === undefined ? {} : { signal });
    }
  }
};

const entranceOf = (slack: SlackSettings, log: Log, tell: TellState): Entrance =>
  slack.mode === 'http'
    ? httpEntrance({
        signingSecret: wanted(slack.signingSecret, 'SLACK_SIGNING_SECRET', 'it is on the app’s Basic Information page'),
        port: slack.port,
        log,
      })
    : socketEntrance({
        appToken: wanted(
          slack.appToken,
          'SLACK_APP_TOKEN',
          'an app-level token (xapp-…) with the scope connections:write',
        ),
        apiUrl: slack.apiUrl,
        log,
        tell,
      });

const openEntrance = async (
  entrance: Entrance,
  { mode, port }: SlackSettings,
  signal: AbortSignal | undefined,
): Promise<void> => {
  const giveUp = () => void entrance.close().catch(() => undefined);
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    await entrance.open();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new BotNotStarted(
      mode === 'http'
        ? `Cannot listen for Slack on port ${port}: ${why}.`
        : `Slack refuses the app token (${why}). Check SLACK_APP_TOKEN and that Socket Mode is on.`,
      error,
    );
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
};

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
const listen = (entrance: Entrance, botToken: string, bot: BotContext, trace: Trace): void => {
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

/** Work from the queue. What cannot be done now because Slack or Redis are away is thrown, and comes again. */
const consume = (bot: BotContext): { stop: () => void } => {
  const progress = progressShow(bot);
  bot.queue.onProgress(progress.show);
  bot.queue.onRefusal((refusal, delivery) => showRefusal(refusal, delivery, bot));
  bot.queue.onAnswer((answer, tools) => showAnswer(answer, tools, bot));
  bot.queue.onIntake((intake, delivery) => {
    switch (intake.kind) {
      case 'opening':
        return openThread(intake, delivery, bot);
      case 'mention':
        return handleMention(intake, delivery, bot);
      case 'press':
        return handlePress(intake, delivery, bot);
      case 'errand':
        return runErrand(intake, delivery, bot);
    }
  });
  return { stop: progress.close };
};

/**
 * Starts the chat side. Throws BotNotStarted for settings that cannot work; waits for a Slack that does not answer.
 * Nothing that matters is kept in memory: any number of bots may run on one queue, and any of them may end at any time.
 */
export const startBot = async (options: BotOptions): Promise<RunningBot> => {
  const { slack: settings, hosts, playbooks, causes = [], policy, log } = options;
  const queue = watchedQueue(options.queue, options.trace ?? noTrace);
  const audit = countedAudit(options.audit ?? noAudit, options.counts ?? noCounts);
  const botToken = wanted(settings.botToken, 'SLACK_BOT_TOKEN', 'the bot user’s token (xoxb-…) of the installed app');
  const { trace = noTrace, counts = noCounts, tell = () => undefined } = options;
  const entrance = entranceOf(settings, log, tell);
  const calling = watchedCalls(counts, trace);
  const slack = slackApi({ botToken, apiUrl: settings.apiUrl, timeoutMs: settings.timeoutMs, log, calling });
  const me = await whoAmI(slack, log, tell, options.signal);
  const [commands, followUps, actions, errands] = await Promise.all([
    loadCommands(),
    loadFollowUps(),
    loadActions(),
    loadErrands(),
  ]);
  const access = auditedAccess(openAccess(slack, me.teamId, log), audit, log);
  const languages = openLanguages(options.language ?? 'reader', queue.notes, access);
  const bot: BotContext = {
    slack: slackForReaders(slack, languages),
    queue: auditedQueue(queueForReaders(queue, languages), audit, log),
    hosts,
    playbooks,
    causes,
    policy: openPolicy(policy, slack, log),
    alerts: options.alerts ?? NO_ALERT_ROUTES,
    access,
    languages,
    log,
    audit,
    history: options.history ?? null,
    ...openAudiences(slack, log),
    me,
    commands,
    followUps,
    actions,
    errands,
    watchEveryMs: options.watchEveryMs,
  };
  listen(entrance, botToken, bot, trace);
  await openEntrance(entrance, settings, options.signal);
  if (settings.mode === 'http') tell({ ok: true, why: `Slack is listened for on port ${settings.port}.` });
  const { stop } = consume(bot);
  log.info({ mode: settings.mode, team: me.teamId }, 'bot is connected to Slack');
  return {
    close: async () => {
      await entrance.close();
      stop();
    },
  };
};
