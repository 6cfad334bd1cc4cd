import type { Look, Observation, Quote } from '../model/index.ts';
import { coreStacks } from '../probes/core-stacks.ts';
import { type CoreFile, coredumps } from '../probes/coredumps.ts';
import { type IdentifyData, identify } from '../probes/identify.ts';
import { kernelLog } from '../probes/kernel-log.ts';
import { type LogLine, logTail } from '../probes/log-tail.ts';
import { sample } from '../probes/sample.ts';
import { strace } from '../probes/strace.ts';
import { isExtension } from './crash-core.ts';
import { childInfo, type FaultPlace, faultPlace, isCrash, type TracedEnd, toldEnd, waitedEnd } from './crash-lines.ts';
import { forkedFrom } from './forked.ts';
import { ownThreads } from './lock-waits.ts';
import { sentSignals } from './signals.ts';

type Seen<Data> = Extract<Observation<Data>, { seen: true }>;

/**
 * What ties a dead process to the target, strongest first. `layout`: the kernel says that a file was mapped at an address at
 * which only processes forked from one another have it. `restart`: its name, that it crashed in an extension which the target
 * has loaded too, and that one of the family started right then.
 */
export type Tie = 'trace' | 'core' | 'log' | 'layout' | 'restart';

/** One process of the target's family that died by a signal that a crash gives. */
export interface Death {
  readonly pid: number | null;
  readonly signal: number;
  /** Seconds since 1970; null when nothing says when. */
  readonly time: number | null;
  readonly ties: readonly Tie[];
  readonly quotes: readonly Quote[];
  readonly core: CoreFile | null;
  /** What the kernel said of the place. */
  readonly fault: FaultPlace | null;
}

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
  readonly who: Seen<IdentifyData>;
}

/** Seconds between a crash and the start of what replaces the dead one, where nothing but its name ties the two. */
const RESTART_SECONDS = 2;
/** Below it lie programs that are not position-independent, which have the same addresses in every process. */
const RANDOM_FROM = 0x500000000000n;

interface Draft {
  pid: number | null;
  signal: number;
  time: number | null;
  ties: Tie[];
  quotes: Quote[];
  core: CoreFile | null;
  fault: FaultPlace | null;
}

const add = (drafts: Draft[], found: Omit<Draft, 'ties' | 'quotes'> & { tie: Tie; quote: Quote }): void => {
  const same = found.pid === null ? undefined : drafts.find((each) => each.pid === found.pid);
  if (same === undefined) {
    drafts.push({ ...found, ties: [found.tie], quotes: [found.quote] });
    return;
  }
  same.time ??= found.time;
  same.core ??= found.core;
  same.fault ??= found.fault;
  if (!same.ties.includes(found.tie)) same.ties.push(found.tie);
  if (same.quotes.length < 3) same.quotes.push(found.quote);
};

/** Signals that another process sent are no crash; uWSGI and faulthandler send theirs to themselves again, for the core. */
const ownFault = (core: CoreFile): boolean =>
  isCrash(core.signal) && (core.code === null || core.code > 0 || core.sender === null || core.sender === core.pid);

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
    add(drafts, { pid: end.pid, signal: end.signal, time: now, core: null, fault: null, tie: 'trace', quote });
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

const ENDS: readonly LogLine['kind'][] = ['worker-died', 'segfault'];

const logged = (look: Look, drafts: Draft[], from: number): void => {
  const seen = look.see(logTail);
  if (!seen.seen) return;
  const ofTimeouts = new Set(
    seen.data.lines.flatMap((line) => (line.kind === 'worker-timeout' ? (toldEnd(line.text).pid ?? []) : [])),
  );
  for (const line of seen.data.lines) {
    if (!ENDS.includes(line.kind)) continue;
    const { pid, signal } = toldEnd(line.text);
    const written = line.file === null ? null : (seen.data.files[line.file]?.written ?? null);
    // A log may go back to before this master; what stands in one that was not written to since is older too.
    if ((line.time ?? written ?? from) < from - 1) continue;
    if (signal === null || !isCrash(signal) || pid === look.target.pid || (pid !== null && ofTimeouts.has(pid)))
      continue;
    const quote = look.quote(seen.evidenceId, line.at);
    // `Segmentation fault` without a pid beside a line that names the dead one is the same death told twice.
    if (pid === null && drafts.some((each) => each.signal === signal)) continue;
    add(drafts, { pid, signal, time: line.time, core: null, fault: null, tie: 'log', quote });
  }
};

const baseName = (path: string): string => path.replace(/^.*\//, '');

/**
 * Whether the code that crashed lay where only the target's forks have it (`fork`), or in an extension that the target has
 * loaded elsewhere (`object`): the C library and the interpreter are everybody's and tell nothing.
 */
const layoutOf = (look: Look, fault: FaultPlace | null): 'fork' | 'object' | null => {
  const dumps = look.see(coredumps);
  if (!dumps.seen || fault === null) return null;
  const loaded = dumps.data.code.filter((each) => baseName(each.path) === baseName(fault.name));
  const random = BigInt(`0x${fault.start}`) >= RANDOM_FROM;
  if (random && loaded.some((each) => each.start === fault.start)) return 'fork';
  return loaded.some((each) => isExtension(each.path)) ? 'object' : null;
};

const fromKernel = (
  look: Look,
  drafts: Draft[],
  who: Seen<IdentifyData>,
  now: number,
  from: number,
  forks: boolean,
): void => {
  const seen = look.see(kernelLog);
  if (!seen.seen) return;
  const relatives = [...who.data.children, ...(withMaster(who.data) ? who.data.siblings : [])];
  const names = new Set([who.data, ...relatives].map((each) => each.comm.slice(0, 15)));
  const births = [...relatives.flatMap((each) => each.ageSeconds ?? []), who.data.ageSeconds].map((age) => now - age);
  for (const event of seen.data.events) {
    if (event.kind !== 'segfault') continue;
    const { time } = event;
    const fault = faultPlace(event.detail);
    const since = time ?? from;
    const known = since >= from - 1 && drafts.some((each) => each.pid === event.pid);
    const layout = layoutOf(look, fault);
    const gap = time === null ? null : Math.min(...births.map((born) => born - time).filter((each) => each >= -0.5));
    // A worker that was forked lies where its master lies; only what was started anew may lie elsewhere.
    const restarted =
      layout === 'object' && !forks && names.has(event.comm.slice(0, 15)) && gap !== null && gap <= RESTART_SECONDS;
    if (!known && !(layout === 'fork' && since >= from - 1) && !restarted) continue;
    const tie: Tie = layout === 'fork' ? 'layout' : 'restart';
    // Faults that name no other signal are SIGSEGV (arch/x86/kernel/traps.c, mm/fault.c).
    const signal = /invalid opcode|Illegal instruction/.test(event.detail)
      ? 4
      : /divide error/.test(event.detail)
        ? 8
        : 11;
    add(drafts, { pid: event.pid, signal, time, core: null, fault, tie, quote: look.quote(seen.evidenceId, event.at) });
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

/** Whether the process has a master of its own, and not only what starts everything. */
const withMaster = (who: IdentifyData): boolean => who.parent !== null && who.parent.pid > 1;

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
  logged(look, drafts, from);
  const found = coresOf(look);
  const cores = found.filter(({ core }) => ownFault(core));
  for (const { core, evidenceId } of cores) {
    const quote = look.quote(evidenceId, core.at);
    const signal = core.signal ?? 0;
    add(drafts, { pid: core.pid, signal, time: core.written, core, fault: null, tie: 'core', quote });
  }
  const forks = forked !== null || who.data.children.some((child) => child.command === who.data.command);
  fromKernel(look, drafts, who, now, from, forks);
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
  return { deaths: deaths.sort((a, b) => (a.time ?? 0) - (b.time ?? 0)), otherEnds, role, now, who };
};
