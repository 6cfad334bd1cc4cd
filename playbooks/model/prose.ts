import { z } from 'zod';

/** One sentence that a model wrote, with the ids of what it rests on. */
export const Claim = z.object({ text: z.string(), rests_on: z.array(z.string()) });
export type Claim = z.infer<typeof Claim>;

/** What a model wrote of a report, as far as the report covers it: what a person reads. */
export const Prose = z.object({
  headline: Claim,
  sentences: z.array(Claim),
  fix: z
    .object({ title: z.string(), text: z.string(), code: z.string().nullable(), rests_on: z.array(z.string()) })
    .nullable(),
  next: z.array(Claim),
});
export type Prose = z.infer<typeof Prose>;
