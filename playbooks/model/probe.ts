import type { z } from 'zod';
import type { Evidence } from './evidence.ts';
import type { Impact } from './impact.ts';
import type { Observation, Parsed } from './observation.ts';
import type { Target } from './target.ts';

/**
 * 1 identify, 2 sample, 3 trace, 4 stop, 5 preserve, 6 read what was preserved: least intrusive first. Steps of one phase run side by side,
 * except those that ptrace.
 */
export type Phase = 1 | 2 | 3 | 4 | 5 | 6;

/** What phase 1 learnt of host and process that later commands depend on. Null before `identify` has been read. */
export interface KnownHost {
  /** Path of a Python 3.6+ on the host that can run our scripts, or null. */
  readonly python: string | null;
  /** Tool name -> path on the host, for those that were found. */
  readonly tools: Readonly<Record<string, string>>;
  /** What the target runs: `python` with its version, or something else. */
  readonly runtime: { readonly kind: 'python' | 'other'; readonly version: string | null };
  readonly threads: number;
  /** Resident set in KiB. */
  readonly rssKib: number;
  /** Whether the look runs as root on the host. */
  readonly root: boolean;
}

/** All that a probe may use to build its command. */
export interface StepContext {
  readonly target: Target;
  readonly windowSeconds: number;
  readonly known: KnownHost | null;
  /** The step's options from the playbook or the follow-up, already parsed by the probe's `options` schema. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Folder on the host for files that outlive the look (cores). */
  readonly keepFolder: string;
}

/** One command: an argv, never a shell string. `{script:NAME}` in argv stands for the carried script's path on the host. */
export interface StepCommand {
  readonly argv: readonly string[];
  /** Files beside the probe that are sent to the host first, by name. */
  readonly scripts?: readonly string[];
}

/** What a probe needs before it can be run. */
export interface ProbeNeeds {
  /** Tools that must be on the host's PATH (any one of each inner list). */
  readonly anyOf?: readonly (readonly string[])[];
  /** A Python 3.6+ on the host to run our script. */
  readonly python?: boolean;
  /** The target must be a Python process. */
  readonly pythonTarget?: boolean;
  /** `ptrace`: root or the target's own user with ptrace permitted. `root`: root only. */
  readonly privilege: 'none' | 'ptrace' | 'root';
}

/** One tool: what it runs, what it needs, its impact, and how its output is read. */
export interface Probe<Data = unknown> {
  readonly id: string;
  /** What it tells, for the progress line: `Python stacks of all threads`. */
  readonly title: string;
  readonly phase: Phase;
  readonly impacts: readonly Impact[];
  /** Two probes that ptrace never run at once on one process. */
  readonly ptraces: boolean;
  readonly needs: ProbeNeeds;
  readonly limits: {
    /** Hard time limit in seconds; the step's process group is killed after it. */
    readonly seconds: (step: StepContext) => number;
    /** Bytes of output that are kept; the rest is counted and dropped on the host. */
    readonly bytes: number;
    /** `KILL` for tools that may leave their target stopped when asked to end politely (gdb). */
    readonly endWith: 'TERM' | 'KILL';
  };
  /** The step's options; unknown ones are refused when a playbook is loaded. */
  readonly options: z.ZodType<Record<string, unknown>>;
  readonly data: z.ZodType<Data>;
  readonly command: (step: StepContext) => StepCommand;
  /**
   * What was seen in some short lines, where the beginning of the output would not say it. `see`: what other probes of the
   * same look saw. Pure. Written as a method: its
   * data always comes from this probe's own parser, so that a probe of some data may stand for a probe of any.
   */
  preview?(data: Data, see?: <Other>(probe: Probe<Other>) => Observation<Other>): readonly string[];
  /** Pure: the same evidence always gives the same answer. Must not throw on any bytes. */
  readonly parse: (evidence: Evidence, step: StepContext) => Parsed<Data>;
}

/** Keeps a probe's types while declaring it. */
export const defineProbe = <Data>(probe: Probe<Data>): Probe<Data> => probe;
