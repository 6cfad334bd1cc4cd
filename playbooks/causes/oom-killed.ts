import { defineCause, type FindingDraft, type Fix, type Look, type Observation } from '../model/index.ts';
import { type IdentifyData, identify } from '../probes/identify.ts';
import { type KernelEvent, kernelLog } from '../probes/kernel-log.ts';
import { sample } from '../probes/sample.ts';
import { bytes, code, count, duration, kib, list, utc, visible } from '../reading/text.ts';

type Seen<Data> = Extract<Observation<Data>, { seen: true }>;
type Relative = IdentifyData['children'][number];
type Kill = Extract<KernelEvent, { kind: 'oom-kill' }>;

/** How a kill concerns the target: how sure, and by what. */
interface Relation {
  readonly kill: Kill;
  readonly confidence: number;
  /** `a process of the same control group`, for sentences. */
  readonly who: string;
  readonly why: string;
  readonly inferred: string | null;
}

/** Seconds between a kill and the start of what replaced the killed one, at most. */
const RESTART_SECONDS = 60;
/** A kill longer ago than this is history and no headline. */
const RECENT_SECONDS = 24 * 3600;

/** When things happened, in seconds since 1970, by the host's clock. */
interface Times {
  readonly now: number;
  /** When the target started. */
  readonly started: number;
  /** When the target, its siblings and its children started. */
  readonly familyStarts: readonly number[];
  /** When the parent started; null when there is none or it is not known. */
  readonly parentStarted: number | null;
}

/** Processes of the same make: its children, and its siblings unless init is their parent, which takes in all orphans. */
const familyOf = (process: IdentifyData): Relative[] => [
  ...process.children,
  ...(process.parent === null || process.parent.pid === 1 ? [] : process.siblings),
];

const timesOf = (process: IdentifyData, ticksPerSecond: number): Times => {
  const started = process.host.bootedAt + Number(process.startTime) / ticksPerSecond;
  const now = started + process.ageSeconds;
  const ages = familyOf(process).flatMap((relative) => relative.ageSeconds ?? []);
  const parent = process.parent?.ageSeconds ?? null;
  return {
    now,
    started,
    familyStarts: [started, ...ages.map((age) => now - age)],
    parentStarted: parent === null ? null : now - parent,
  };
};

/** A control group that holds one service, container or job, and not whatever runs on the host. */
const isOneUnit = (path: string): boolean =>
  /\.service(\/|$)|docker|libpod|containerd|crio|kubepods|\/lxc\/|machine\.slice|[0-9a-f]{64}|\/ecs\/|garden/.test(
    path,
  );

const sameGroup = (kill: Kill, process: IdentifyData): boolean => {
  const own = process.cgroup?.path ?? '';
  const theirs = kill.cgroup ?? '';
  if (own === '' || own === '/' || theirs === '' || theirs === '/') return false;
  return own === theirs || theirs.startsWith(`${own}/`);
};

/** The kernel cuts a name at 15 bytes; so it is compared at that length. */
const sameName = (kill: Kill, process: IdentifyData): boolean => {
  const names = [process, ...familyOf(process)].map((each) => each.comm.slice(0, 15));
  return names.includes(kill.comm.slice(0, 15));
};

/** Somebody of the family started within seconds after the kill: what was killed was replaced. */
const replacedAfter = (kill: Kill, times: Times): number | null => {
  if (kill.time === null) return null;
  const gaps = times.familyStarts.map((start) => start - (kill.time ?? 0)).filter((gap) => gap >= -1);
  const least = Math.min(...gaps);
  return least <= RESTART_SECONDS ? Math.max(0, least) : null;
};

const relationOf = (kill: Kill, process: IdentifyData, pid: number, times: Times): Relation | null => {
  const old = kill.time !== null && times.now - kill.time > RECENT_SECONDS;
  const grade = (confidence: number) => (old ? Math.min(confidence, 0.45) : confidence);
  // A pid is used again; a kill from before somebody started was not theirs.
  const lived = (start: number) => kill.time === null || kill.time >= start - 1;
  if (kill.pid === pid && lived(times.started)) {
    return {
      kill,
      confidence: grade(0.95),
      who: 'this very process',
      why: 'the kernel chose it and it has not ended yet',
      inferred: null,
    };
  }
  const relative = familyOf(process).find((each) => each.pid === kill.pid && lived(times.now - (each.ageSeconds ?? 0)));
  if (relative !== undefined) {
    const what = process.children.includes(relative) ? 'a child of this process' : 'a sibling of this process';
    return { kill, confidence: grade(0.95), who: what, why: `process ${kill.pid} is ${what}`, inferred: null };
  }
  const gap = replacedAfter(kill, times);
  const group = sameGroup(kill, process);
  const name = sameName(kill, process);
  const path = process.cgroup?.path ?? '';
  const then =
    gap === null ? '' : `; ${gap < 1 ? 'at once' : `${duration(gap)} later`} a process of this family started`;
  if (group && (kill.scope === 'cgroup' || isOneUnit(path) || gap !== null)) {
    const confidence = name ? (gap !== null || kill.scope === 'cgroup' ? 0.93 : 0.85) : gap !== null ? 0.85 : 0.75;
    return {
      kill,
      confidence: grade(confidence),
      who: 'a process of the same control group',
      why: `it was in control group ${code(path, 120)}, as this process is${then}`,
      inferred: confidence >= 0.9 ? null : 'that it did the same work as this process',
    };
  }
  const parent = process.parent;
  const ownMaster =
    parent !== null &&
    parent.pid !== 1 &&
    times.parentStarted !== null &&
    kill.time !== null &&
    times.parentStarted < kill.time;
  const asMaster = process.children.length > 0 && kill.time !== null && times.started < kill.time;
  // Without a common group, only a restart in the same moment under a master that outlived it ties the two together.
  if (name && gap !== null && gap <= 15 && kill.cgroup === null && (ownMaster || asMaster)) {
    return {
      kill,
      confidence: grade(0.7),
      who: asMaster && !ownMaster ? 'a worker of this process' : 'a worker of the same master',
      why: `it had the same name (${code(kill.comm, 40)})${then}, and their master is older than the kill`,
      inferred: 'that the killed process was one of that master; the kernel does not log parents',
    };
  }
  return null;
};

const fixesFor = (process: IdentifyData, kill: Kill | null): Fix[] => {
  const limit = process.cgroup?.memoryLimitBytes ?? null;
  const unit = /([\w@.\\-]+\.service)(\/|$)/.exec(process.cgroup?.path ?? '')?.[1] ?? null;
  return [
    {
      title: 'Find what ate the memory',
      detail:
        `${kill === null ? 'Watch resident memory' : `The victim held ${kib(kill.anonRssKib)}. Watch resident memory`} of the workers beside their requests: what they do when it jumps is the cause. ` +
        'Whole responses, files or query results in memory, caches without a bound and ever-growing lists are the usual ones.',
      code: `dmesg -T | grep -E 'oom-kill|Killed process' | tail\nps -eo pid,ppid,rss,etimes,args --sort=-rss | head -15`,
    },
    {
      title: 'Bound each worker, so that one request cannot take all',
      detail: `${
        limit === null || process.cgroup?.path === '/'
          ? 'There is no limit of its own: give the service one, so that its own worker is chosen and nobody else.'
          : `The group's limit is ${bytes(limit)}${process.cgroup?.memoryUsedBytes === null || process.cgroup === null ? '' : `, of which ${bytes(process.cgroup.memoryUsedBytes ?? 0)} are used now`}. Raise it only when the need is understood.`
      } Let workers be replaced after a number of requests or above a size, and alert well below the limit.`,
      code:
        unit === null
          ? 'gunicorn --max-requests 1000 --max-requests-jitter 100 …     # uwsgi: reload-on-rss = 400, max-requests = 1000\n# celery: worker_max_memory_per_child = 400000 (KiB)'
          : `systemctl set-property ${unit} MemoryHigh=75% MemoryMax=90%\nsystemctl show ${unit} -p MemoryCurrent,MemoryMax,NRestarts`,
    },
    {
      title: 'Let only the dead worker be replaced',
      detail:
        'A SIGKILL cannot be caught, so what the victim held is lost: put its task back from where it came, with acknowledgement after the work. ' +
        'Signal handlers that were inherited from the master and stop all workers turn one kill into an outage: reset them after fork.',
    },
  ];
};

const history = (kills: readonly Relation[], times: Times): string => {
  const recent = kills.filter((each) => each.kill.time !== null && times.now - each.kill.time <= RECENT_SECONDS);
  return recent.length < 2 ? '' : ` It was one of ${count(recent.length, 'such kill')} in the last day.`;
};

const killFinding = (
  look: Look,
  evidenceId: string,
  who: Seen<IdentifyData>,
  relations: readonly Relation[],
  times: Times,
): FindingDraft => {
  const [best] = [...relations].sort((a, b) => b.confidence - a.confidence || (b.kill.time ?? 0) - (a.kill.time ?? 0));
  if (best === undefined) throw new Error('no kill');
  const { kill } = best;
  const when =
    kill.time === null
      ? 'at a time that the log does not tell'
      : `at ${utc(kill.time)}, ${duration(Math.max(0, times.now - kill.time))} before the look`;
  const limit = who.data.cgroup?.memoryLimitBytes ?? null;
  const because =
    kill.scope === 'cgroup'
      ? `its control group had reached its memory limit${limit === null ? '' : ` (${bytes(limit)} now)`}`
      : 'the host had no memory left';
  const others = relations.filter((each) => each !== best).slice(-3);
  const counter = who.data.cgroup;
  return {
    confidence: best.confidence,
    title: `The kernel killed process ${kill.pid} (${code(kill.comm, 40)}), ${best.who}, for want of memory: ${kib(kill.anonRssKib)} resident`,
    summary:
      `${when.charAt(0).toUpperCase()}${when.slice(1)} the kernel killed process ${kill.pid} (${visible(kill.comm)}) because ${because}; it held ${kib(kill.anonRssKib)} of anonymous memory. ` +
      `It is related: ${best.why}.${history(relations, times)}${best.inferred === null ? '' : ` Inferred: ${best.inferred}.`}`,
    evidence: [
      look.quote(evidenceId, kill.at),
      ...others.map((each) => look.quote(evidenceId, each.kill.at)),
      ...(counter === null ? [] : [look.quote(who.evidenceId, counter.at)]),
      look.quote(who.evidenceId, who.data.memory.at),
    ],
    fixes: fixesFor(who.data, kill),
  };
};

/** The counter of the group says that it happened, though not when and to whom. */
const counterFinding = (
  look: Look,
  who: Seen<IdentifyData>,
  kills: number,
  cgroup: NonNullable<IdentifyData['cgroup']>,
  why: string,
): FindingDraft => ({
  confidence: isOneUnit(cgroup.path) ? 0.8 : 0.45,
  title: `The kernel has killed ${count(kills, 'process', 'processes')} of this control group for want of memory`,
  summary:
    `The control group ${code(cgroup.path, 120)}, in which this process runs, counts ${count(kills, 'kill')} by the out-of-memory killer since it was made. ${why} ` +
    'Inferred: that a worker or a predecessor of this process was among them.',
  evidence: [look.quote(who.evidenceId, cgroup.at), look.quote(who.evidenceId, who.data.memory.at)],
  fixes: fixesFor(who.data, null),
});

/** The kernel's out-of-memory killer ended this process's predecessor, or one of its family. */
export const oomKilled = defineCause({
  id: 'oom-killed',
  title: 'The kernel killed for want of memory',
  needs: [identify],
  explains: ['waiting-forever', 'zombie-children'],
  judge: (look) => {
    const who = look.see(identify);
    if (!who.seen) return { verdict: 'cannot-tell', why: who.why, wants: [identify.id] };
    const log = look.see(kernelLog);
    const sampled = look.see(sample);
    const times = timesOf(who.data, sampled.seen ? sampled.data.ticksPerSecond : 100);
    const kills = log.seen ? log.data.events.filter((event) => event.kind === 'oom-kill') : [];
    const relations = kills.flatMap((kill) => relationOf(kill, who.data, look.target.pid, times) ?? []);
    if (log.seen && relations.length > 0) {
      return { verdict: 'fires', findings: [killFinding(look, log.evidenceId, who, relations, times)] };
    }
    const { cgroup } = who.data;
    const counted = cgroup?.oomKills ?? 0;
    if (cgroup !== null && counted > 0 && cgroup.path !== '/' && cgroup.path !== '') {
      const why = log.seen
        ? 'The kernel log no longer has the lines about it.'
        : `When and to whom is in the kernel log, which was not read: ${log.why}.`;
      return { verdict: 'fires', findings: [counterFinding(look, who, counted, cgroup, why)] };
    }
    if (!log.seen) {
      return cgroup?.oomKills === 0 && cgroup.path !== '/'
        ? { verdict: 'clear', why: 'its control group counts no kill; the kernel log was not read' }
        : { verdict: 'cannot-tell', why: `the kernel log was not read: ${log.why}`, wants: [kernelLog.id] };
    }
    const unrelated = list([...new Set(kills.slice(-3).map((kill) => `${kill.pid} (${visible(kill.comm)})`))]);
    return {
      verdict: 'clear',
      why:
        kills.length === 0
          ? 'the kernel log tells of no kill for want of memory'
          : `the kernel killed ${unrelated}, which nothing ties to this process`,
    };
  },
});
