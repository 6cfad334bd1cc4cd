import { z } from 'zod';
import {
  defineProbe,
  type Evidence,
  evidenceErrorText,
  evidenceLines,
  LineNumber,
  type Parsed,
} from '../model/index.ts';

export const CpuGroup = z.object({
  /** The group's path in its hierarchy, as /proc/PID/cgroup writes it. */
  path: z.string(),
  /** The file in which its quota stands: `cpu.max` (version 2) or `cpu.cfs_quota_us` (version 1). */
  file: z.string(),
  /** Processor time that all its processes together may use, in microseconds per period; null without a quota. */
  quota: z.object({ micros: z.number(), periodMicros: z.number() }).nullable(),
  /** Since the group was made: periods, those in which it was stopped early, and for how many seconds in all. */
  periods: z.number(),
  throttledPeriods: z.number(),
  throttledSeconds: z.number(),
  at: LineNumber,
});
export type CpuGroup = z.infer<typeof CpuGroup>;

export const CpuLimitsData = z.object({
  /** Processors of the host, and those that the process may run on (sched_setaffinity(2), cpuset). */
  processors: z.object({ host: z.number().int(), allowed: z.number().int(), at: LineNumber }),
  /** The process's own group first, then those above it. Empty where there is none. */
  groups: z.array(CpuGroup),
});
export type CpuLimitsData = z.infer<typeof CpuLimitsData>;

const PROCESSORS = /^processors: (\d{1,6}) on the host, (\d{1,6}) allowed \(/;
const GROUP =
  /^group: quota (?:none|(\d{1,15}) us of (\d{1,15}) us), (\d{1,15}) periods, (\d{1,15}) throttled, (\d{1,15}\.\d{3}) s, in (.*\/cpu\.(?:max|cfs_quota_us)), (\/.*)$/;

const readGroup = (line: string, at: number): CpuGroup | null => {
  const match = GROUP.exec(line);
  if (match === null) return null;
  const [, micros, periodMicros, periods, throttled, seconds, file = '', path = ''] = match;
  return {
    path,
    file,
    quota: micros === undefined ? null : { micros: Number(micros), periodMicros: Number(periodMicros) },
    periods: Number(periods),
    throttledPeriods: Number(throttled),
    throttledSeconds: Number(seconds),
    at,
  };
};

const parse = (evidence: Evidence): Parsed<CpuLimitsData> => {
  const lines = evidenceLines(evidence);
  const gone = lines.find((line) => line.startsWith('gone: '));
  if (gone !== undefined) return { ok: false, reason: 'target-gone', why: gone.slice('gone: '.length) };
  const at = lines.findIndex((line) => PROCESSORS.test(line));
  const found = PROCESSORS.exec(lines[at] ?? '');
  if (found === null) {
    const said = evidenceErrorText(evidence).trim().split('\n').at(-1)?.slice(0, 200) ?? '';
    return { ok: false, reason: 'not-parsable', why: `the limits could not be read${said && `: ${said}`}` };
  }
  const groups = lines.map((line, index) => readGroup(line, index + 1)).filter((group) => group !== null);
  const gaps = lines.filter((line) => line.startsWith('not readable: '));
  return {
    ok: true,
    data: { processors: { host: Number(found[1]), allowed: Number(found[2]), at: at + 1 }, groups },
    partly: [...gaps, ...(lines.includes('end') ? [] : ['the list of control groups was cut'])],
  };
};

/**
 * How much processor time the process may have: the processors that it may run on (proc_pid_status(5), Cpus_allowed_list),
 * and the quota of its control group and of those above it (cgroups(7); version 1: cpu.cfs_quota_us, version 2: cpu.max),
 * with how often each was throttled since it was made. `sample` tells how often in the window.
 */
export const cpuLimits = defineProbe<CpuLimitsData>({
  id: 'cpu-limits',
  title: 'Processors and processor time that it may use',
  phase: 1,
  impacts: ['none'],
  ptraces: false,
  needs: { privilege: 'none' },
  limits: { seconds: () => 10, bytes: 200_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: CpuLimitsData,
  command: ({ target }) => ({ argv: ['sh', '{script:cpu-limits.sh}', String(target.pid)], scripts: ['cpu-limits.sh'] }),
  parse,
});
