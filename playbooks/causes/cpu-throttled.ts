import { defineCause, type FindingDraft, type Fix, type Look, type Verdict } from '../model/index.ts';
import { type CpuGroup, cpuLimits } from '../probes/cpu-limits.ts';
import { type SampleData, sample } from '../probes/sample.ts';
import { cpuShare, stateShare } from '../reading/syscalls.ts';
import { code, duration, percent, shellCommand, shellQuote } from '../reading/text.ts';

/** Share of the window's periods in which the group was stopped early: below, a hint; from here on, a fault. */
const PART_HINT = 0.1;
const PART_FAULT = 0.25;
const PART_SURE = 0.5;
/** Without the quota's figures: the period that the kernel uses when nobody says another. */
const DEFAULT_PERIOD = 0.1;

type Throttled = NonNullable<SampleData['throttled']>;

/** The name of the group that was throttled most, as the sample's own line has it. */
const groupName = (text: string): string | null =>
  /^throttled: -?\d+ periods, -?\d+ throttled, -?[\d.]+ s, (.*)$/.exec(text)?.[1] ?? null;

/** `0.3 processors`, `1 processor`. */
const processors = (number: number): string => {
  const rounded = Math.round(number * 100) / 100;
  return `${rounded} ${rounded === 1 ? 'processor' : 'processors'}`;
};

/** How many processors the process's threads wanted at once, on average: those that ran and those that were to. */
const wanted = (data: SampleData): number => data.threads.reduce((sum, thread) => sum + stateShare(thread, 'R'), 0);

const used = (data: SampleData): number =>
  data.seconds <= 0 ? 0 : (data.process.userSeconds + data.process.systemSeconds) / data.seconds;

/** The command that raises the quota, for what made the group: systemd, a container engine, Kubernetes, or a hand. */
const raise = (name: string, group: CpuGroup | null, target: number): { detail: string; code: string } => {
  const percentage = `${Math.ceil(target * 100)}%`;
  const unit = /([^/]+\.(?:service|scope|slice))$/.exec(name)?.[1];
  if (/kubepods/.test(name)) {
    return {
      detail:
        'The group is a Kubernetes pod’s: its container has `resources.limits.cpu`. Raise it, or leave it out and keep the request, which guarantees a share without stopping anybody.',
      code: `kubectl set resources deployment/NAME -c CONTAINER --limits=cpu=${Math.ceil(target * 1000)}m`,
    };
  }
  const container = /(?:docker|libpod|cri-containerd|crio)[-/]([0-9a-f]{12})[0-9a-f]{52}/.exec(name)?.[1];
  if (container !== undefined) {
    return {
      detail: 'The group is a container’s.',
      code: `docker update --cpus ${Math.ceil(target * 10) / 10} ${container}   # or: podman update`,
    };
  }
  if (unit !== undefined) {
    return {
      detail: `The group is the unit ${code(unit, 100)} of systemd. Without --runtime the change outlives a reboot.`,
      code: `${shellCommand(['systemctl', 'set-property', '--runtime', unit, `CPUQuota=${percentage}`])}\n${shellCommand(['systemctl', 'show', unit, '-p', 'CPUQuotaPerSecUSec'])}`,
    };
  }
  const period = group?.quota?.periodMicros ?? 100_000;
  const value =
    group?.file.endsWith('/cpu.max') === true
      ? `${Math.round(target * period)} ${period}`
      : `${Math.round(target * period)}`;
  return {
    detail: 'Whoever made the group should set it; by hand it is:',
    code: group === null ? `cat /proc/PID/cgroup` : `echo ${value} > ${shellQuote(group.file)}`,
  };
};

const fixesFor = (name: string, group: CpuGroup | null, data: SampleData, allowed: number): Fix[] => {
  const quota = group?.quota ? group.quota.micros / group.quota.periodMicros : 0;
  const target = Math.min(Math.max(Math.ceil(wanted(data) * 2) / 2, quota * 1.5), Math.max(allowed, quota));
  const { detail, code: command } = raise(name, group, target);
  const busiest = [...data.threads].sort((a, b) => cpuShare(b, data.seconds) - cpuShare(a, data.seconds))[0];
  return [
    { title: `Raise the quota to about ${processors(target)}`, detail, code: command },
    {
      title: 'Or let it need less',
      detail:
        `Its threads wanted ${processors(wanted(data))} at once${busiest === undefined ? '' : `, most of it thread ${busiest.tid} (${code(busiest.comm, 40)})`}. ` +
        'Start no more workers and threads than the quota has processors (os.cpu_count() tells the host’s number, not the quota’s), move batch work elsewhere, and look at what the busiest thread does.',
    },
    {
      title: 'Verify',
      detail: 'nr_throttled must hardly grow between two looks.',
      code:
        group === null
          ? 'cat /proc/PID/cgroup'
          : `cat ${shellQuote(group.file.replace(/[^/]*$/, 'cpu.stat'))}; sleep 10; cat ${shellQuote(group.file.replace(/[^/]*$/, 'cpu.stat'))}`,
    },
  ];
};

interface Throttling {
  readonly throttled: Throttled;
  readonly name: string;
  readonly group: CpuGroup | null;
  /** Share of the window's periods in which the group was stopped, 0 to 1. */
  readonly part: number;
}

const findingOf = (look: Look, data: SampleData, evidenceId: string, found: Throttling): FindingDraft => {
  const { throttled, name, group, part } = found;
  const limits = look.see(cpuLimits);
  const quota = group?.quota ?? null;
  const share = quota === null ? null : quota.micros / quota.periodMicros;
  const own = used(data);
  const others = share !== null && own < 0.4 * share;
  const allowance =
    quota === null || share === null
      ? 'a quota whose figures could not be read'
      : `${processors(share)} (${quota.micros / 1000} ms in each ${quota.periodMicros / 1000} ms)`;
  const busiest = [...data.threads].sort((a, b) => stateShare(b, 'R') - stateShare(a, 'R'))[0];
  const sure = part >= PART_SURE && !others;
  const confidence = part < PART_FAULT ? 0.4 : others ? 0.7 : sure ? 0.95 : 0.8;
  return {
    confidence,
    title: `Throttled: the quota of control group ${code(name, 80)}, ${share === null ? 'which is not known' : processors(share)}, stopped it in ${percent(part)} of the time slices`,
    summary:
      `The control group may use ${allowance}. In ${duration(data.seconds)} it was stopped in ${throttled.throttledPeriods} of ${throttled.periods} periods, ${duration(throttled.seconds)} of processor time in all. ` +
      `The process got ${processors(own)} and wanted ${processors(wanted(data))}: its threads stood ready to run and were not let.` +
      (others ? ' It used little of the quota itself: inferred, that others in the group used it up.' : '') +
      (sure || others
        ? ''
        : part < PART_FAULT
          ? ' That is little; it costs single requests some milliseconds.'
          : ' Inferred: that this is what makes it slow; it ran freely for the rest of the time.'),
    evidence: [
      look.quote(evidenceId, throttled.at),
      ...(group !== null && limits.seen ? [look.quote(limits.evidenceId, group.at)] : []),
      ...(busiest === undefined ? [] : [look.quote(evidenceId, busiest.at)]),
    ],
    fixes: fixesFor(name, group, data, limits.seen ? limits.data.processors.allowed : 1),
  };
};

const verdictOf = (look: Look, data: SampleData, evidenceId: string): Verdict => {
  const { throttled } = data;
  if (throttled === null) return { verdict: 'clear', why: 'no control group of it counts processor time' };
  if (throttled.throttledPeriods <= 0) {
    return { verdict: 'clear', why: 'its control groups were not throttled in the window' };
  }
  const name = groupName(look.quote(evidenceId, throttled.at).text) ?? '';
  const limits = look.see(cpuLimits);
  const group = limits.seen ? (limits.data.groups.find((each) => each.path === name) ?? null) : null;
  const period = group?.quota ? group.quota.periodMicros / 1e6 : DEFAULT_PERIOD;
  const part = Math.min(1, throttled.throttledPeriods / Math.max(throttled.periods, data.seconds / period, 1));
  // Who sleeps is not stopped: others of the group are.
  const ready = Math.max(0, ...data.threads.map((thread) => stateShare(thread, 'R')));
  if (part < PART_HINT || ready < 0.2) {
    const how = `${throttled.throttledPeriods} of ${throttled.periods} periods of its control group were throttled`;
    return { verdict: 'clear', why: ready < 0.2 ? `${how}, but it hardly wanted to run` : `only ${how}` };
  }
  const finding = findingOf(look, data, evidenceId, { throttled, name, group, part });
  return { verdict: 'fires', findings: [finding], ...(limits.seen ? {} : { wants: [cpuLimits.id] }) };
};

/** The control group's quota of processor time stops the process again and again, although processors may be free. */
export const cpuThrottled = defineCause({
  id: 'cpu-throttled',
  title: 'The control group’s CPU quota holds it up',
  needs: [sample],
  explains: [],
  judge: (look) => {
    const sampled = look.see(sample);
    if (!sampled.seen) return { verdict: 'cannot-tell', why: sampled.why, wants: [sample.id] };
    if (sampled.data.seconds < 0.4) {
      return { verdict: 'cannot-tell', why: 'the window was too short to tell how often it was throttled' };
    }
    return verdictOf(look, sampled.data, sampled.evidenceId);
  },
});
