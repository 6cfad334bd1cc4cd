import { z } from 'zod';

/** What a running look tells its readers. Sent often; losing one loses nothing. */
export const Progress = z.object({
  requestId: z.string(),
  /** What is being done, for a person: `Tracing system calls`. */
  doing: z.string(),
  /** Probes that are running now. */
  probes: z.array(z.string()),
  /** 0 to 100, never falling. */
  percent: z.number().min(0).max(100),
  /** Since the look began. */
  seconds: z.number(),
});
export type Progress = z.infer<typeof Progress>;
