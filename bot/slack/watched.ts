import { WebAPIRateLimitedError } from '@slack/web-api';
import type { Counts } from '../../infra/metrics/counts.ts';
import type { Trace } from '../../infra/tracing/trace.ts';
import { SlackRefused, sortingEnds } from './errors.ts';

/** Runs a request to Slack and throws its failure as `sortingEnds` does. */
export type Calling = typeof sortingEnds;

const codeOf = (error: unknown): string => {
  if (error instanceof SlackRefused) return error.code;
  return error instanceof WebAPIRateLimitedError ? 'ratelimited' : 'away';
};

/** Calls that are counted, and shown in traces by their method alone. */
export const watchedCalls =
  (counts: Pick<Counts, 'slack'>, trace: Trace): Calling =>
  (method, request) =>
    trace.span(`slack ${method}`, { 'straceback.slack.method': method }, async (note) => {
      try {
        const answer = await sortingEnds(method, request);
        counts.slack(method, 'ok');
        return answer;
      } catch (error) {
        const code = codeOf(error);
        counts.slack(method, code);
        note({ 'straceback.slack.code': code });
        throw error;
      }
    });
