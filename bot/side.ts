import type { Surroundings } from '../infra/attend.ts';
import { openAudit } from '../infra/audit.ts';
import type { Config } from '../infra/config.ts';
import { openKeptHistory } from '../infra/history/open.ts';
import { relayedAudit } from '../infra/history/relay.ts';
import type { Log } from '../infra/log.ts';
import { openBotQueue } from '../infra/queue/bot-side.ts';
import type { RedisAddress } from '../infra/queue/place.ts';
import { startAlertServer } from './alerts/server.ts';
import { type RunningBot, startBot } from './bot.ts';
import type { CauseSummary, PlaybookSummary } from './context.ts';
import { loadAlertSources } from './registry.ts';

/** What the chat side is made of. */
export interface BotSideOptions {
  readonly config: Config;
  readonly redisUrl: RedisAddress;
  readonly playbooks: readonly PlaybookSummary[];
  readonly causes: readonly CauseSummary[];
  readonly around: Surroundings;
  readonly log: Log;
  /** Ends the waiting for a Slack that does not answer. */
  readonly signal: AbortSignal;
}

/**
 * Starts all of the chat side: queue, history, bot, and the server for alerts where there is one. Null when `signal` was given
 * before it was up. Throws BotNotStarted and BadConfig; what had been started is ended then.
 */
export const startBotSide = async (options: BotSideOptions): Promise<RunningBot | null> => {
  const { config, redisUrl, around, log, signal } = options;
  const { counts, trace, telemetry, evidence: far } = around;
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const each of closers.splice(0)) await each();
  };
  try {
    const queue = openBotQueue({ redisUrl, log, telemetry, far });
    closers.unshift(queue.close);
    const history = openKeptHistory({ config, redisUrl, queue, log });
    if (history !== undefined) {
      // After the queue, whose last answers are still handed to it.
      closers.push(history.close);
      around.parts.ask('history', () => {
        const { ok, why } = history.state();
        return { ok, why: why ?? 'History is written.' };
      });
    }
    const audit = openAudit({ folder: config.audit.folder, side: 'bot' });
    around.parts.tell('slack', { ok: false, why: 'There is no connection to Slack yet.' });
    const bot = await startBot({
      slack: config.slack,
      queue,
      hosts: {
        // Asked for anew each time: an inventory is read again and again.
        get names() {
          return config.hostNames;
        },
        known: (name) => config.hosts(name) !== undefined,
        patterns: config.hostPatterns,
      },
      playbooks: options.playbooks,
      causes: options.causes,
      policy: config.policy,
      audit: history === undefined ? audit : relayedAudit(audit, 'bot', history.keepAudit),
      history,
      alerts: config.alerts,
      language: config.language,
      log,
      counts,
      trace,
      tell: (state) => around.parts.tell('slack', state),
      signal,
    });
    closers.unshift(bot.close);
    if (config.alertIntake !== undefined) {
      const { alertIntake: settings, redaction } = config;
      const sources = await loadAlertSources();
      closers.unshift((await startAlertServer({ settings, sources, queue, log, counts, redaction })).close);
    }
    return { close };
  } catch (error) {
    await close();
    if (signal.aborted) return null;
    throw error;
  }
};
