import type { Evidence } from './evidence.ts';
import type { Fix, Quote } from './finding.ts';
import type { Observation } from './observation.ts';
import type { Probe } from './probe.ts';
import type { Target } from './target.ts';

/** All that has been seen so far, by probe. Causes read it and nothing else. */
export interface Look {
  readonly target: Target;
  /** The last observation of a probe; `not-run` when it was no part of the look. */
  readonly see: <Data>(probe: Probe<Data>) => Observation<Data>;
  /** The literal text of line `line` (from 1) of a probe's evidence, as a quote. */
  readonly quote: (evidenceId: string, line: number) => Quote;
}

/** What a cause that fires says; the judge adds its id. */
export interface FindingDraft {
  /** 0.9 and more: decisive evidence seen directly. 0.5 to 0.9: one link is inferred. Under 0.5: a hint. */
  readonly confidence: number;
  /** One line, the headline: what is wrong and where. */
  readonly title: string;
  /** What happens and why, in a few sentences; names the inferred link when confidence is under 0.9. */
  readonly summary: string;
  readonly evidence: readonly Quote[];
  readonly fixes: readonly Fix[];
  /** Other processes on the same host worth looking at next. */
  readonly related?: readonly { readonly pid: number; readonly why: string }[];
}

export type Verdict =
  | { readonly verdict: 'fires'; readonly findings: readonly FindingDraft[]; readonly wants?: readonly string[] }
  | { readonly verdict: 'clear'; readonly why: string }
  | {
      readonly verdict: 'cannot-tell';
      readonly why: string;
      /** Ids of the probes that would decide it; later phases run only what is wanted. */
      readonly wants?: readonly string[];
    };

/** One root cause. */
export interface Cause {
  readonly id: string;
  /** What it means, one line: `A thread spins without making progress`. */
  readonly title: string;
  /** Probes without which it can only say `cannot tell`. The judge enforces it. */
  readonly needs: readonly Probe[];
  /** Probes of which it needs one, whichever. The judge enforces it, too. */
  readonly needsOneOf?: readonly Probe[];
  /** Ids of causes that this one explains when both fire: it comes first, they become "also seen". */
  readonly explains: readonly string[];
  /** Pure. Fires, is clear, or cannot tell. */
  readonly judge: (look: Look) => Verdict;
}

/** Keeps a cause's type while declaring it. */
export const defineCause = (cause: Cause): Cause => cause;

/** Parsed evidence in the form that stages pass on. */
export interface Seen {
  readonly evidence: readonly Evidence[];
  readonly observations: ReadonlyMap<string, Observation<unknown>>;
}
