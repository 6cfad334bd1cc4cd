import type { Look, Observation } from '../model/index.ts';
import { children } from '../probes/children.ts';
import { coreStacks } from '../probes/core-stacks.ts';
import { type CoreFile, coredumps } from '../probes/coredumps.ts';
import { type IdentifyData, identify } from '../probes/identify.ts';
import { type LogLine, logTail } from '../probes/log-tail.ts';
import { sample } from '../probes/sample.ts';
import { strace } from '../probes/strace.ts';
import { addDeath, type Death, type Draft, ownFault } from './crash-deaths.ts';
import { addKernelDeaths } from './crash-kernel.ts';
import { childInfo, isCrash, type TracedEnd, toldEnd, waitedEnd } from './crash-lines.ts';
import { fatalSignal } from './crash-told.ts';
import { forkedFrom } from './forked.ts';
import { ownThreads } from './lock-waits.ts';
import { sentSignals } from './signals.ts';

type Seen<Data> = Extract<Observation<Data>, { seen: true }>;

/** All that is known of how members of the family ended. */
export interface Crashes {
  /** Oldest first; those without a time first of all. */
  readonly deaths: readonly Death[];
  /** Children that the trace saw end otherwise: by an exit or another signal. */
  readonly otherEnds: readonly TracedEnd[];
  /** `child`: the target is their master. `sibling`: its own master is. `predecessor`: it took the place of the dead one. */
  readonly role: 'child' | 'sibling' | 'predecessor';
  /** Seconds since 1970 when the target was identified. */
  readonly now: number;
  /** Seconds since 1970 when it started. */
  readonly started: number;
  readonly who: Seen<IdentifyData>;
}

const traced = (look: Look, drafts: Draft[], now: number): TracedEnd[] => {
  const seen = look.see(strace);
  if (!seen.seen) return [];
  const own = ownThreads(look);
  const sent = new Set(sentSignals(seen.data, own).map((each) => each.peer));
  const others = new Map<number, TracedEnd>();
  const take = (end: TracedEnd | null, at: number): void => {
    if (end === null || end.pid === null) return;
    if (end.signal === null || !isCrash(end.signal) || sent.has(end.pid)) {
      others.set(end.pid, end);
      return;
    }
    const quote = look.quote(seen.evidenceId, at);
    if (drafts.some((each) => each.pid === end.pid && each.ties.includes('trace'))) return;
    addDeath(drafts, { pid: end.pid, signal: end.signal, time: now, core: null, fault: null, tie: 'trace', quote });
  };
  for (const record of seen.data.detail.signals) {
    if (own.has(record.tid) && record.signal === 'SIGCHLD') {
      take(childInfo(look.quote(seen.evidenceId, record.at).text), record.at);
    }
  }
  for (const call of seen.data.detail.calls) {
    if (own.has(call.tid)) take(waitedEnd(call.name, call.args, call.result), call.at);
  }
  return [...others.values()];
};

/** Children that have ended and were not waited for yet: the kernel still tells how. */
const zombies = (look: Look, drafts: Draft[], now: number): void => {
  const seen = look.see(children);
  if (!seen.seen) return;
  for (const zombie of seen.data.zombies.shown) {
    const signal = Number(/^signal (\d{1,2})$/.exec(zombie.ending ?? '')?.[1] ?? Number.NaN);
    if (!isCrash(signal)) continue;
    const quote = look.quote(seen.evidenceId, zombie.at);
    addDeath(drafts, { pid: zombie.pid, signal, time: now, core: null, fault: null, tie: 'trace', quote });
  }
};

const ENDS: readonly LogLine['kind'][] = ['worker-died', 'segfault', 'fatal-python', 'refcount'];

/** A fatal error is an end too, though it names no process. */
const endOf = (line: LogLine) =>
  /Fatal Python error: /.test(line.text) ? { pid: null, signal: fatalSignal(line.text) } : toldEnd(line.text);

const logged = (look: Look, drafts: Draft[], from: number): void => {
  const seen = look.see(logTail);
  if (!seen.seen) return;
  const ofTimeouts = new Set(
    seen.data.lines.flatMap((line) => (line.kind === 'worker-timeout' ? (toldEnd(line.text).pid ?? []) : [])),
  );
  const ends = seen.data.lines
    .filter((line) => ENDS.includes(line.kind) && !line.before)
    .map((line) => ({ line, ...endOf(line) }));
  const named = new Set(ends.flatMap((end) => (end.pid !== null && end.signal !== null ? [end.signal] : [])));
  for (const death of drafts) named.add(death.signal);
  // `Segmentation fault` beside lines that name the dead ones is the same death told twice.
  for (const { line, pid, signal } of [
    ...ends.filter((end) => end.pid !== null),
    ...ends.filter((end) => end.pid === null),
  ]) {
    const written = line.file === null ? null : (seen.data.files[line.file]?.written ?? null);
    // A log may go back to before this master; what stands in one that was not written to since is older too.
    if ((line.time ?? written ?? from) < from - 1) continue;
    if (signal === null || !isCrash(signal) || pid === look.target.pid || (pid !== null && ofTimeouts.has(pid)))
      continue;
    const quote = look.quote(seen.evidenceId, line.at);
    if (pid === null && named.has(signal)) continue;
    addDeath(drafts, { pid, signal, time: line.time, core: null, fault: null, tie: 'log', quote });
  }
};

/** The cores that were listed, and the one that was opened, which may be newer than all of those. */
const coresOf = (look: Look): { core: CoreFile; evidenceId: string }[] => {
  const dumps = look.see(coredumps);
  const opened = look.see(coreStacks);
  return [
    ...(dumps.seen ? dumps.data.cores.map((core) => ({ core, evidenceId: dumps.evidenceId })) : []),
    ...(opened.seen ? [{ core: opened.data.core, evidenceId: opened.evidenceId }] : []),
  ];
};

/** How members of the target's family ended, as far as trace, logs, cores and the kernel tell; null without identity. */
export const crashesOf = (look: Look): Crashes | null => {
  const who = look.see(identify);
  if (!who.seen) return null;
  const sampled = look.see(sample);
  const ticks = sampled.seen ? sampled.data.ticksPerSecond : 100;
  const started = who.data.host.bootedAt + Number(who.data.startTime) / ticks;
  const now = started + who.data.ageSeconds;
  const forked = forkedFrom(look, null);
  const masterAge = forked?.parent.ageSeconds ?? null;
  const from = masterAge === null ? started : Math.min(started, now - masterAge);
  const drafts: Draft[] = [];
  const otherEnds = traced(look, drafts, now);
  zombies(look, drafts, now);
  logged(look, drafts, from);
  const found = coresOf(look);
  const cores = found.filter(({ core }) => ownFault(core));
  for (const { core, evidenceId } of cores) {
    const quote = look.quote(evidenceId, core.at);
    const signal = core.signal ?? 0;
    addDeath(drafts, { pid: core.pid, signal, time: core.written, core, fault: null, tie: 'core', quote });
  }
  const forks = forked !== null || who.data.children.some((child) => child.command === who.data.command);
  addKernelDeaths(look, drafts, who, now, from, forks);
  const foreign = new Set(found.filter(({ core }) => !ownFault(core)).map(({ core }) => core.pid));
  // A restart beside clean ends in the trace is what it looks like: recycling.
  const recycled = otherEnds.some((each) => each.status !== null);
  const deaths = drafts.filter(
    (each) =>
      !(each.pid !== null && foreign.has(each.pid)) && !(recycled && each.ties.every((tie) => tie === 'restart')),
  );
  const relations = new Set(cores.map(({ core }) => core.relation));
  const alone = who.data.children.length === 0;
  const role = relations.has('child')
    ? 'child'
    : relations.has('sibling') || (forked !== null && alone)
      ? 'sibling'
      : relations.has('predecessor') || (alone && deaths.every((each) => each.ties.every((tie) => tie === 'restart')))
        ? 'predecessor'
        : 'child';
  return { deaths: deaths.sort((a, b) => (a.time ?? 0) - (b.time ?? 0)), otherEnds, role, now, started, who };
};
