import { z } from 'zod';

const Days = z.number().int().min(1).max(36_500);

/** `history:` of the configuration. */
export const historySettings = z
  .strictObject({
    /** False: nothing is kept, and nothing is asked for. */
    keep: z.boolean().default(true),
    /** How long reports, feedback, approvals and audit lines are kept. */
    retentionDays: Days.default(730),
    /** How long the raw output of tools is kept with them. */
    evidenceRetentionDays: Days.default(30),
  })
  .prefault({});
export type HistorySettings = z.infer<typeof historySettings>;

/** Where and for how long history is kept. Undefined in a configuration that keeps none. */
export interface HistoryConfig {
  readonly place: { readonly url: string } | { readonly folder: string };
  readonly retentionDays: number;
  readonly evidenceRetentionDays: number;
}
