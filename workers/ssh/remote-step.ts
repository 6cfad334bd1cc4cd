import type { StepEnd } from '../../playbooks/model/index.ts';
import type { InstalledRunner } from './frames.ts';

/** A file that a step needs on the host. It is sent once per shell. */
export interface CarriedScript {
  /** Letters, digits, `.`, `_` and `-`: the end of its file name on the host. */
  readonly name: string;
  readonly content: string;
}

/** One command for the host. */
export interface RemoteStep {
  /** The caller's name for it, for `cancel`. */
  readonly id: string;
  /** `{script:NAME}` anywhere in it stands for the path of the carried script on the host. */
  readonly argv: readonly string[];
  readonly scripts: readonly CarriedScript[];
  /** Time limit, rounded up to whole seconds; then the step's process group is ended. */
  readonly seconds: number;
  /** Bytes of standard output that are kept; of standard error at most 256 KiB of them. */
  readonly bytes: number;
  /** How it is ended: `TERM` is followed by KILL after two seconds. */
  readonly endWith: 'TERM' | 'KILL';
  /** Steps of one shell that ptrace run one after another, in the order in which they were given. */
  readonly ptraces: boolean;
  /**
   * Checked on the host right before the step runs. `startTime`: field 22 of /proc/PID/stat, decimal (proc(5)); among first
   * steps also FOUND_FIRST.
   */
  readonly target: { readonly pid: number; readonly startTime: string } | null;
}

/** Stands for the start time that nobody knows yet, as that of the target and as a word of the command. */
export const FOUND_FIRST = '{start}';

/** Steps that go to a host together with its runner, before it has said that it is ready. */
export interface FirstSteps {
  readonly pid: number;
  /** For how long the process must have been running for those of FOUND_FIRST to run, s. */
  readonly ageSeconds: number;
  /** The first of them is quick; where the runner was sent, the others start when it has ended, without a word from here. */
  readonly steps: readonly RemoteStep[];
}

/** What is the same for all looks at a host, as one of them found it: it may have changed since. */
export interface HostFacts {
  /** Path of a Python that runs our scripts. */
  readonly python: string | null;
  /** Tool name -> path. */
  readonly tools: Readonly<Record<string, string>>;
  readonly root: boolean;
}

/** How a step ended. Remote trouble is data. */
export interface StepResult {
  readonly end: StepEnd;
  /** As the host's shell saw it: 128 + n for signal n, 127 for a command that is not there. Null unless `exited`. */
  readonly exit: number | null;
  /** Milliseconds since 1970, by this machine's clock, when it was handed to the host. */
  readonly startedAt: number;
  /** How long it ran, by the host's clock in steps of 0.01 s; by ours when the host did not say. */
  readonly seconds: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  /** Bytes of both streams that were thrown away on the host because of the limits. */
  readonly dropped: number;
}

/** One resident shell on a host. */
export interface HostShell {
  /** Whether it runs as uid 0. */
  readonly root: boolean;
  /** The runner that is installed on the host; null or absent where one was sent. */
  readonly installed?: InstalledRunner | null;
  /**
   * Runs a step, side by side with the others. Never rejects for remote trouble; throws TypeError for what cannot be sent
   * (a NUL in argv, an empty argv, a malformed target or script name).
   */
  readonly run: (step: RemoteStep) => Promise<StepResult>;
  /** Ends a step before its time; its result follows with the exit status of the signal. Unknown ids are ignored. */
  readonly cancel: (stepId: string) => void;
  /**
   * Says that nothing more will be asked: what runs is still answered, and the host clears up right behind it. `close` then
   * waits for that. Steps that are given later get no connection.
   */
  readonly leave?: () => void;
  /** Keeps what was found, for the first steps of later shells over the same connection. */
  readonly remember?: (facts: HostFacts) => void;
  /** Ends all steps, lets the host clear up, and closes the shell. Waits for that, within bounds. Never rejects. */
  readonly close: () => Promise<void>;
}

const ScriptName = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;

/** Throws TypeError for a step that could not be written down as a line for the runner. */
export const checkStep = (step: RemoteStep): void => {
  if (step.argv.length === 0) throw new TypeError('a step needs a command');
  if (!Number.isFinite(step.seconds) || step.seconds <= 0 || step.seconds > 86_400) {
    throw new TypeError('a step needs a time limit of more than 0 seconds and at most a day');
  }
  if (!Number.isSafeInteger(step.bytes) || step.bytes < 1) throw new TypeError('a step needs an output limit in bytes');
  for (const script of step.scripts) {
    if (!ScriptName.test(script.name)) throw new TypeError(`not a name for a script: ${JSON.stringify(script.name)}`);
  }
  if (step.target !== null) {
    if (!Number.isSafeInteger(step.target.pid) || step.target.pid < 1) throw new TypeError('not a process id');
    if (!/^\d{1,20}$/.test(step.target.startTime)) throw new TypeError('not a start time');
  }
};

/** Throws TypeError for first steps that could not be written down. */
export const checkFirstSteps = ({ pid, ageSeconds, steps }: FirstSteps): void => {
  if (!Number.isSafeInteger(pid) || pid < 1) throw new TypeError('not a process id');
  if (!Number.isFinite(ageSeconds) || ageSeconds < 0) throw new TypeError('not an age');
  for (const step of steps) {
    const { target } = step;
    const unknown = target?.startTime === FOUND_FIRST;
    if (unknown && target.pid !== pid) throw new TypeError('a start time is found for one process only');
    if (step.ptraces) throw new TypeError('a step that ptraces waits until it is known whom it traces');
    checkStep(unknown ? { ...step, target: { pid, startTime: '0' } } : step);
  }
};

/** Whether a first step, its process having been found to have started at `found`, is the same as one that is asked for now. */
export const isSameStep = (first: RemoteStep, found: string | null, now: RemoteStep): boolean => {
  const known = (word: string) => (word === FOUND_FIRST ? (found ?? word) : word);
  const { pid, startTime } = first.target ?? { pid: 0, startTime: '' };
  return (
    first.argv.length === now.argv.length &&
    first.argv.every((word, at) => known(word) === now.argv[at]) &&
    first.scripts.length === now.scripts.length &&
    first.scripts.every(
      ({ name, content }, at) => name === now.scripts[at]?.name && content === now.scripts[at].content,
    ) &&
    first.seconds === now.seconds &&
    first.bytes === now.bytes &&
    first.endWith === now.endWith &&
    first.ptraces === now.ptraces &&
    pid === (now.target?.pid ?? 0) &&
    known(startTime) === (now.target?.startTime ?? '')
  );
};
