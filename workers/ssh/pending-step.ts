import type { Frame } from './frames.ts';
import type { Lines } from './lines.ts';
import type { RemoteStep, StepResult } from './remote-step.ts';

/** A step that has been asked for and not been answered. */
export interface PendingStep {
  readonly step: RemoteStep;
  readonly seconds: number;
  /** What starts it, one or more lines for the runner. */
  readonly lines: Lines;
  readonly resolve: (result: StepResult) => void;
  cancelled: boolean;
  /** Milliseconds since 1970; of a first step, when the runner was heard to be ready. */
  startedAt: number;
  /** Runs from when it was sent; null before. */
  deadline: NodeJS.Timeout | null;
}

const NOTHING = new Uint8Array(0);

/** By the exit status of `timeout`, or of the signal with which it ends a step, and only at the end of the step's time. */
const isTimeLimit = (frame: Frame, seconds: number): boolean =>
  (frame.exit === 124 || frame.exit === 137 || frame.exit === 143) && frame.milliseconds >= seconds * 1000 - 20;

/** What the host said of a step. */
export const answeredWith = (frame: Frame, { seconds, startedAt }: PendingStep): StepResult => {
  const timedOut = frame.how === 'exited' && isTimeLimit(frame, seconds);
  const end = timedOut ? 'timed-out' : frame.how;
  return {
    end,
    exit: end === 'exited' ? frame.exit : null,
    startedAt,
    seconds: frame.milliseconds / 1000,
    stdout: frame.stdout,
    stderr: frame.stderr,
    dropped: frame.dropped,
  };
};

/** What became of a step of which the host said nothing. */
export const unanswered = ({ startedAt }: PendingStep, end: 'timed-out' | 'connection-lost'): StepResult => {
  const seconds = (Date.now() - startedAt) / 1000;
  return { end, exit: null, startedAt, seconds, stdout: NOTHING, stderr: NOTHING, dropped: 0 };
};

/** What becomes of a step that an installed runner does not know, so that it need not be asked. */
export const unknownTo = (host: string, step: RemoteStep): StepResult => {
  const said = `The runner that is installed on ${host} does not run this command of ${step.id}`;
  const stderr = new TextEncoder().encode(`${said}, or not with what was asked for.\n`);
  return { end: 'exited', exit: 126, startedAt: Date.now(), seconds: 0, stdout: NOTHING, stderr, dropped: 0 };
};
