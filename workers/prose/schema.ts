import { z } from 'zod';
import { Claim } from '../../playbooks/model/index.ts';

/** What the model is asked for. Lengths are checked by the gate: a schema that is too narrow is refused by some servers. */
export const ModelProse = z.object({
  /** What is wrong, in one line. */
  headline: Claim,
  /** Three to six: what happens and why. */
  sentences: z.array(Claim),
  /** One of the offered fixes, said for this code; null when none is offered. */
  fix: z
    .object({
      /** The id of the offered fix. */
      fix: z.string(),
      text: z.string(),
      /** The offered code, or a diff of the source lines that were shown; null for none. */
      code: z.string().nullable(),
      rests_on: z.array(z.string()),
    })
    .nullable(),
  /** What to check next. */
  next: z.array(Claim),
});
export type ModelProse = z.infer<typeof ModelProse>;
