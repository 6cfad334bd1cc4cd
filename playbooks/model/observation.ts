import { z } from 'zod';

/** Why there is no observation. Each is a different answer to a person, and none of them means "clear". */
export const UnseenReason = z.enum([
  'not-run',
  'not-needed',
  'not-allowed',
  'not-applicable',
  'missing-tool',
  'no-permission',
  'timed-out',
  'failed',
  'not-parsable',
  'target-gone',
  'connection-lost',
  'interrupted',
]);
export type UnseenReason = z.infer<typeof UnseenReason>;

/** A line of evidence that a fact was read from, counted from 1. */
export const LineNumber = z.number().int().min(1);
export type LineNumber = z.infer<typeof LineNumber>;

/** What a probe's parser read out of evidence, or the typed reason why it could not. */
export type Observation<Data> =
  | {
      readonly seen: true;
      readonly evidenceId: string;
      readonly data: Data;
      /** What is missing from `data` (cut output, unreadable threads), one clear sentence each. Empty: all is there. */
      readonly partly: readonly string[];
    }
  | { readonly seen: false; readonly reason: UnseenReason; readonly why: string };

/** What a parser returns: data, perhaps with gaps, or why there is none. */
export type Parsed<Data> =
  | { readonly ok: true; readonly data: Data; readonly partly?: readonly string[] }
  | { readonly ok: false; readonly reason: UnseenReason; readonly why: string };
