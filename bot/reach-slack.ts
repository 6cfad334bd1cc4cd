import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../infra/log.ts';
import { BotNotStarted } from './not-started.ts';
import type { SlackApi } from './slack/api.ts';
import { SlackRefused } from './slack/errors.ts';
import { type Entrance, httpEntrance, socketEntrance, type TellState } from './slack/receivers.ts';

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

/** A setting that has to be there. Throws BotNotStarted, which says `what` it is. */
export const wanted = (value: string | undefined, name: string, what: string): string => {
  if (value === undefined || value === '') throw new BotNotStarted(`${name} is not set: ${what}.`);
  return value;
};

/** Who the bot is. Waits for a Slack that does not answer; gives up on one that refuses the token. */
export const whoAmI = async (slack: SlackApi, log: Log, tell: TellState, signal: AbortSignal | undefined) => {
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

/** How Slack reaches the bot, by its settings. Throws BotNotStarted for one that is missing. */
export const entranceOf = (slack: SlackSettings, log: Log, tell: TellState): Entrance =>
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

/** Begins to listen, until `signal` ends the waiting. Throws BotNotStarted for what Slack or the port refuse. */
export const openEntrance = async (
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
