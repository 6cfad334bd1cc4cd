import { z } from 'zod';
import { LineNumber } from '../model/index.ts';

export const KernelEvent = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('oom-kill'),
    /** Seconds since 1970, null when the log line carries no usable time. */
    time: z.number().nullable(),
    pid: z.number().int(),
    comm: z.string(),
    anonRssKib: z.number(),
    /** task_memcg of the line before, when there is one. */
    cgroup: z.string().nullable(),
    /** `host` for a global OOM, `cgroup` for a memory cgroup's limit. */
    scope: z.enum(['host', 'cgroup']),
    at: LineNumber,
  }),
  z.object({
    kind: z.literal('segfault'),
    time: z.number().nullable(),
    pid: z.number().int(),
    comm: z.string(),
    detail: z.string(),
    at: LineNumber,
  }),
  z.object({
    kind: z.literal('hung-task'),
    time: z.number().nullable(),
    pid: z.number().int(),
    comm: z.string(),
    seconds: z.number(),
    at: LineNumber,
  }),
]);
export type KernelEvent = z.infer<typeof KernelEvent>;
export const KernelLogData = z.object({
  source: z.enum(['dmesg', 'journal', 'file']),
  /** All events of these kinds in the bounded tail of the log, oldest first; who they concern is for the causes to tell. */
  events: z.array(KernelEvent),
});
export type KernelLogData = z.infer<typeof KernelLogData>;
