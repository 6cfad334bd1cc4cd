import type { Quote } from '../model/index.ts';
import type { CoreFile } from '../probes/coredumps.ts';
import { type FaultPlace, isCrash } from './crash-lines.ts';

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

/** A death of which more may still be found. */
export type Draft = {
  -readonly [Key in keyof Death]: Death[Key] extends readonly (infer Item)[] ? Item[] : Death[Key];
};

/** Adds what one source tells of a death to what others told of the same process. */
export const addDeath = (drafts: Draft[], found: Omit<Draft, 'ties' | 'quotes'> & { tie: Tie; quote: Quote }): void => {
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
export const ownFault = (core: CoreFile): boolean =>
  isCrash(core.signal) && (core.code === null || core.code > 0 || core.sender === null || core.sender === core.pid);
