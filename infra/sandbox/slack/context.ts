import type { Delivery } from './delivery.ts';
import type { Faults } from './faults.ts';
import type { Settings } from './options.ts';
import type { RateLimiter } from './rate-limits.ts';
import type { ResponseUrls } from './response-urls.ts';
import type { SocketHub } from './socket-hub.ts';
import type { State } from './state.ts';
import type { Triggers } from './triggers.ts';
import type { LoggedRequest } from './types.ts';

/** The secrets of the installed app, made anew at every start. */
export interface Secrets {
  botToken: string;
  appToken: string;
  signingSecret: string;
  /** The deprecated verification token that payloads still bear. */
  verificationToken: string;
}

/** The parts of a running local Slack. */
export interface Slack {
  settings: Settings;
  state: State;
  secrets: Secrets;
  delivery: Delivery;
  hub: SocketHub;
  faults: Faults;
  limiter: RateLimiter;
  triggers: Triggers;
  responseUrls: ResponseUrls;
  log: LoggedRequest[];
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  origin(): string;
}
