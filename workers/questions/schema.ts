import { z } from 'zod';
import { Claim } from '../../playbooks/model/index.ts';

/** What the model is asked for. Lengths are checked by the gate: a schema that is too narrow is refused by some servers. */
export const ModelReply = z.object({
  /** Empty when what was seen does not answer the question. */
  answer: z.array(Claim),
  /** The name of what could be run to tell. */
  could_run: z.string().nullable(),
});
export type ModelReply = z.infer<typeof ModelReply>;
