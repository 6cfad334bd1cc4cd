import { ALL_SCOPES } from './scopes.ts';

/** How a local Slack behaves; every figure defaults to Slack's own. */
export interface LocalSlackOptions {
  /** TCP port on 127.0.0.1; a free one by default. */
  port?: number;
  /** Slash commands of the installed app. */
  commands?: string[];
  /** What the app may do: the scopes of its bot token. All that this Slack knows by default. */
  scopes?: readonly string[];
  /** The event types that the app is subscribed to. */
  subscriptions?: string[];
  /** Where events go: the open sockets, or by HTTP to this address with Slack's signature. */
  requestUrl?: string;
  /** How long an app may take to acknowledge, ms. */
  ackTimeoutMs?: number;
  /** How long after a failed delivery each redelivery of an event follows, ms. */
  retryDelaysMs?: readonly number[];
  /** How long a trigger_id can open a view, ms. */
  triggerLifetimeMs?: number;
  /** How long a response_url answers, ms. */
  responseUrlLifetimeMs?: number;
  /** Refuse what comes too fast, as Slack does; off by default. */
  rateLimits?: RateLimits | false;
  /** The largest upload and request body, bytes. */
  maxBodyBytes?: number;
}

export interface RateLimits {
  /** `chat.postMessage`, for each channel: how many a second in the long run, and how many at once. */
  postsPerSecond: number;
  postBurst: number;
  /** Hold every other method to its tier (20, 50 or 100 a minute). */
  tiers: boolean;
}

export type Settings = Required<Omit<LocalSlackOptions, 'requestUrl'>> & { requestUrl: string | undefined };

/** Slack's documented behaviour towards message posting: about one a second in a channel, short bursts allowed. */
export const SLACK_RATE_LIMITS: RateLimits = { postsPerSecond: 1, postBurst: 5, tiers: true };

/** Completes the options with the figures of Slack's documentation. */
export function settingsOf(options: LocalSlackOptions): Settings {
  return {
    port: options.port ?? 0,
    commands: options.commands ?? ['/diagnose'],
    scopes: options.scopes ?? ALL_SCOPES,
    subscriptions: options.subscriptions ?? ['message', 'app_mention', 'app_home_opened'],
    requestUrl: options.requestUrl,
    ackTimeoutMs: options.ackTimeoutMs ?? 3_000,
    retryDelaysMs: options.retryDelaysMs ?? [0, 60_000, 300_000],
    triggerLifetimeMs: options.triggerLifetimeMs ?? 3_000,
    responseUrlLifetimeMs: options.responseUrlLifetimeMs ?? 30 * 60_000,
    rateLimits: options.rateLimits ?? false,
    maxBodyBytes: options.maxBodyBytes ?? 128 * 1024 * 1024,
  };
}
