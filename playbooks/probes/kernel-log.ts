import { z } from 'zod';
import { defineProbe, evidenceText, LineNumber } from '../model/index.ts';
import { parseKernelLog } from './kernel-log.parse.ts';

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
    /** Of the thread that crashed: the kernel writes its thread id here. */
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

/**
 * What the kernel logged about processes: killed for want of memory, crashed by a fault or an illegal instruction, hung
 * in an uninterruptible sleep. Only such lines leave the host, the last 500 of them, as they are.
 */
export const kernelLog = defineProbe<KernelLogData>({
  id: 'kernel-log',
  title: 'Kernel log: out of memory, crashes, hung tasks',
  phase: 1,
  impacts: ['none'],
  ptraces: false,
  needs: { privilege: 'none' },
  // dmesg twice and the journal once, each ended by itself after five seconds.
  limits: { seconds: () => 20, bytes: 500_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: KernelLogData,
  command: () => ({ argv: ['sh', '{script:kernel-log.sh}'], scripts: ['kernel-log.sh'] }),
  parse: (evidence) => parseKernelLog(evidenceText(evidence), evidence.startedAt),
});
