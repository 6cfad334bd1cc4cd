import { z } from 'zod';
import { HostName, Pid } from './request.ts';

/** A resolved process. A pid alone is never trusted: the start time is checked before every step. */
export const Target = z.object({
  host: HostName,
  pid: Pid,
  /** Field 22 of /proc/PID/stat: clock ticks after boot, a decimal string (proc(5)). */
  startTime: z.string().regex(/^\d+$/),
});
export type Target = z.infer<typeof Target>;
