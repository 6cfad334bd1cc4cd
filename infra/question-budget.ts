import { z } from 'zod';

/** What one question in a thread may take; beside it the budgets of tokens for a look, a day and a channel count it too. */
export const QuestionBudget = z.strictObject({
  /** Harmless steps that the model may ask for itself; 0 for none. */
  steps: z.number().int().min(0).max(10).default(3),
  /** After so many seconds no further step is made for it. */
  seconds: z.number().min(0).max(1_800).default(120),
  /** Tokens of all its requests, in and out together. */
  tokens: z.number().int().min(0).default(30_000),
});
export type QuestionBudget = z.infer<typeof QuestionBudget>;
