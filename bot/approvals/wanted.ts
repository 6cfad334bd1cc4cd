import { z } from 'zod';
import { Impact, Request, UnitId } from '../../playbooks/model/index.ts';

/** What the last look of the thread knew of the process, for the estimate and against a pid that is reused. */
export const LastSeen = z.object({
  startTime: z.string(),
  command: z.string(),
  rssKib: z.number().optional(),
  swapKib: z.number().optional(),
  threads: z.number().optional(),
});
export type LastSeen = z.infer<typeof LastSeen>;

/** A look that waits for somebody's yes: all that is needed to make it, kept with its buttons. */
export const Wanted = z.object({
  /** The request as it is once it is approved: `allow` has the impacts that need the yes. */
  asked: Request.omit({ origin: true, approval: true }),
  needs: z.array(Impact),
  team: z.string(),
  channel: z.string(),
  /** Who asked. */
  user: z.string(),
  threadTs: z.string(),
  /** The thread's first message shows the look; else one of its own is posted for it. */
  first: z.boolean(),
  lastSeen: LastSeen.nullable(),
  /** As in the request's origin: the errand that the answer is handed to. */
  handTo: z.object({ errand: UnitId, data: z.record(z.string(), z.unknown()) }).optional(),
  /** Until when the buttons work, milliseconds since 1970. */
  until: z.number(),
});
export type Wanted = z.infer<typeof Wanted>;

/** What became of it. `press` is the press, or the errand, that decided it. */
export const Decision = z.object({
  verdict: z.enum(['approved', 'refused', 'expired']),
  user: z.string(),
  press: z.string(),
  /** Taken back by `cancel`: a refusal, which other versions read as such. */
  withdrawn: z.literal(true).optional(),
  /** Milliseconds since 1970. */
  at: z.number(),
});
export type Decision = z.infer<typeof Decision>;
