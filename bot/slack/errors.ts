import { WebAPIPlatformError, WebAPIRateLimitedError } from '@slack/web-api';

/** Slack said no and did nothing; asking again is no use. `code` is Slack's word, such as `not_in_channel`. */
export class SlackRefused extends Error {
  readonly method: string;
  readonly code: string;
  constructor(method: string, code: string, cause?: unknown) {
    super(`Slack refused ${method}: ${code}`, { cause });
    this.name = 'SlackRefused';
    this.method = method;
    this.code = code;
  }
}

/** Slack's words for a message that it does not like for what it holds. */
const ABOUT_CONTENT = /^(?:invalid_blocks|msg_blocks_too_long|msg_too_long|invalid_attachments)/;

/** Whether a message was refused for what it holds: another one at the same place may be taken. */
export const isAboutContent = ({ code }: SlackRefused): boolean => ABOUT_CONTENT.test(code);

/** Slack gave no usable answer. The request may have been done all the same. */
export class SlackAway extends Error {
  readonly method: string;
  constructor(method: string, cause?: unknown) {
    super(`Slack gave no answer to ${method}`, { cause });
    this.name = 'SlackAway';
    this.method = method;
  }
}

/** Answers of Slack's that say something about Slack, not about the request. */
const SLACKS_OWN_TROUBLE = new Set([
  'internal_error',
  'fatal_error',
  'service_unavailable',
  'request_timeout',
  'ratelimited',
]);

/** A token that was taken back or is being changed: answers wait for a bot with a new one instead of being dropped. */
const TOKEN_TROUBLE = new Set(['invalid_auth', 'not_authed', 'token_revoked', 'token_expired', 'account_inactive']);

const isLasting = (method: string, code: string): boolean =>
  !SLACKS_OWN_TROUBLE.has(code) && (method === 'auth.test' || !TOKEN_TROUBLE.has(code));

/** Rate limits pass as they are: the pacing waits them out. */
const sorted = (method: string, error: unknown): Error => {
  if (error instanceof WebAPIRateLimitedError || error instanceof SlackRefused || error instanceof SlackAway) {
    return error;
  }
  if (error instanceof WebAPIPlatformError && isLasting(method, error.data.error)) {
    return new SlackRefused(method, error.data.error, error);
  }
  return new SlackAway(method, error);
};

/** Runs a request and throws its failure as SlackRefused, SlackAway, or the rate limit that it met. */
export const sortingEnds = async <T>(method: string, request: () => Promise<T>): Promise<T> => {
  try {
    return await request();
  } catch (error) {
    throw sorted(method, error);
  }
};
