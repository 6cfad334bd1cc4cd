import { type AlertRouting, NO_ALERT_ROUTES } from '../infra/alert-routes.ts';
import { type Audit, noAudit } from '../infra/audit.ts';
import type { History } from '../infra/history/history.ts';
import type { LanguageSetting } from '../infra/language.ts';
import type { Log } from '../infra/log.ts';
import { type Counts, noCounts } from '../infra/metrics/counts.ts';
import type { BotQueue } from '../infra/queue/bot-side.ts';
import { noTrace, type Trace } from '../infra/tracing/trace.ts';
import { openAccess } from './access.ts';
import { auditedAccess, auditedQueue } from './audited.ts';
import type { BotContext, CauseSummary, KnownHosts, PlaybookSummary } from './context.ts';
import { runErrand } from './errand.ts';
import { openLanguages, queueForReaders } from './language.ts';
import { listen } from './listen.ts';
import { handleMention } from './mention.ts';
import { openPolicy, type PolicyOptions } from './policy.ts';
import { handlePress } from './press.ts';
import { entranceOf, openEntrance, type SlackSettings, wanted, whoAmI } from './reach-slack.ts';
import { loadActions, loadCommands, loadErrands, loadFollowUps } from './registry.ts';
import { slackApi } from './slack/api.ts';
import { openAudiences } from './slack/audience.ts';
import { slackForReaders } from './slack/for-readers.ts';
import type { TellState } from './slack/receivers.ts';
import { watchedCalls } from './slack/watched.ts';
import { showAnswer, showRefusal } from './thread/answer.ts';
import { openThread } from './thread/open.ts';
import { progressShow } from './thread/progress.ts';
import { countedAudit, watchedQueue } from './watched.ts';

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

/** A bot that listens until it is closed. */
export interface RunningBot {
  /** Takes nothing new in; what was taken in is in the queue. Close the queue after it. */
  readonly close: () => Promise<void>;
}

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
