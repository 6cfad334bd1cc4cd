import type { Look, Observation } from '../model/index.ts';
import { coredumps } from '../probes/coredumps.ts';
import type { IdentifyData } from '../probes/identify.ts';
import { kernelLog } from '../probes/kernel-log.ts';
import { isExtension } from './crash-core.ts';
import { addDeath, type Draft, type Tie } from './crash-deaths.ts';
import { type FaultPlace, faultPlace } from './crash-lines.ts';

type Seen<Data> = Extract<Observation<Data>, { seen: true }>;

/** Seconds between a crash and the start of what replaces the dead one, where nothing but its name ties the two. */
const RESTART_SECONDS = 2;
/** Below it lie programs that are not position-independent, which have the same addresses in every process. */
const RANDOM_FROM = 0x500000000000n;

/** Whether the process has a master of its own, and not only what starts everything. */
const withMaster = (who: IdentifyData): boolean => who.parent !== null && who.parent.pid > 1;

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

/**
 * The death that a kernel line is about although it names a thread of the dead process: of a name that is the server's own and
 * not every Python's, in the same second.
 */
const sameMoment = (drafts: readonly Draft[], comm: string, time: number | null, names: ReadonlySet<string>) =>
  time === null || !names.has(comm.slice(0, 15)) || /^python[\d.]*$/.test(comm)
    ? undefined
    : drafts.find(
        (each) =>
          each.fault === null && each.core === null && each.time !== null && Math.abs(each.time + 0.5 - time) <= 1,
      );

/** Adds what the kernel logged of crashes, as far as it can be tied to the target's family. `forks`: it has forked members. */
export const addKernelDeaths = (
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
  // So weak a tie counts only where nothing better is known.
  const better = drafts.length > 0;
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
      layout === 'object' &&
      !better &&
      !forks &&
      names.has(event.comm.slice(0, 15)) &&
      gap !== null &&
      gap <= RESTART_SECONDS;
    const beside = sameMoment(drafts, event.comm, time, names);
    if (beside !== undefined) {
      beside.fault ??= fault;
      if (beside.quotes.length < 3) beside.quotes.push(look.quote(seen.evidenceId, event.at));
      continue;
    }
    if (!known && !(layout === 'fork' && since >= from - 1) && !restarted) continue;
    const tie: Tie = layout === 'fork' ? 'layout' : 'restart';
    // Faults that name no other signal are SIGSEGV (arch/x86/kernel/traps.c, mm/fault.c).
    const signal = /invalid opcode|Illegal instruction/.test(event.detail)
      ? 4
      : /divide error/.test(event.detail)
        ? 8
        : 11;
    addDeath(drafts, {
      pid: event.pid,
      signal,
      time,
      core: null,
      fault,
      tie,
      quote: look.quote(seen.evidenceId, event.at),
    });
  }
};
