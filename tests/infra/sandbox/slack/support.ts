import { App, type AppOptions, LogLevel, SocketModeReceiver } from '@slack/bolt';
import { WebClient } from '@slack/web-api';
import { z } from 'zod';
import type { LocalSlack } from '../../../../infra/sandbox/slack/server.ts';

const PlatformError = z.object({
  data: z.looseObject({
    error: z.string(),
    response_metadata: z.looseObject({ messages: z.array(z.string()).optional() }).optional(),
  }),
});

/** A client that neither retries nor logs, so that a test sees each answer. */
export function webClient(slack: LocalSlack, token: string | undefined = slack.botToken): WebClient {
  return new WebClient(token, {
    slackApiUrl: slack.apiUrl,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    logLevel: LogLevel.ERROR,
    logger: silentLogger(),
  });
}

/** The error code and the messages that a call was refused with. Throws when it was not refused. */
export async function refusalOf(call: Promise<unknown>): Promise<{ error: string; messages: string[] }> {
  try {
    await call;
  } catch (error) {
    const { data } = PlatformError.parse(error);
    return { error: data.error, messages: data.response_metadata?.messages ?? [] };
  }
  throw new Error('the call was not refused');
}

export function silentLogger() {
  return {
    debug: () => {},
    info: () => {},
    warn: () => {},
    error: () => {},
    setLevel: () => {},
    getLevel: () => LogLevel.ERROR,
    setName: () => {},
  };
}

/**
 * A Bolt app in Socket Mode. `pingTimeoutMs` is how long its client misses a pong before it gives a socket up, and how long it
 * waits before it opens another.
 */
export function socketApp(slack: LocalSlack, more: AppOptions = {}, pingTimeoutMs = 30_000): App {
  const clientOptions = { slackApiUrl: slack.apiUrl };
  const logger = silentLogger();
  const receiver = new SocketModeReceiver({
    appToken: slack.appToken,
    logger,
    clientPingTimeout: pingTimeoutMs,
    installerOptions: { clientOptions },
  });
  return new App({ token: slack.botToken, receiver, logger, clientOptions, ...more });
}

/** A list that can be awaited: what a listener has heard so far. */
export interface Heard<T> {
  readonly all: T[];
  add(item: T): void;
  /** Resolves with the whole list once it holds that many. */
  until(count: number): Promise<T[]>;
}

export function heard<T>(): Heard<T> {
  const all: T[] = [];
  const waiting: { count: number; resolve: (items: T[]) => void }[] = [];
  return {
    all,
    add(item) {
      all.push(item);
      for (const each of waiting) if (all.length >= each.count) each.resolve(all);
    },
    until(count) {
      if (all.length >= count) return Promise.resolve(all);
      return new Promise((resolve) => waiting.push({ count, resolve }));
    },
  };
}
