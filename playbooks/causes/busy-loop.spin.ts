import type { MotionFrame, MotionVariable } from '../probes/py-stacks.motion.ts';
import type { Course } from '../reading/motion.ts';
import type { Loop } from '../reading/source.ts';

/** Whether a Python thread that burns CPU gets on, as its frames' variables show. */
export type PythonCourse =
  | { readonly kind: 'works'; readonly frame: MotionFrame; readonly variable: MotionVariable; readonly course: Course }
  | { readonly kind: 'spins'; readonly confidence: number; readonly spin: Spin }
  | {
      readonly kind: 'native';
      readonly frame: MotionFrame;
      readonly lines: readonly number[];
      readonly goesRound: MotionVariable | null;
    }
  | { readonly kind: 'untold'; readonly why: string };

/** A loop of Python code that gets nowhere. */
export interface Spin {
  /** The frame that goes round. */
  readonly frame: MotionFrame;
  /** Lines that were executed there, ascending. */
  readonly lines: readonly number[];
  readonly loop: Loop | null;
  /** Variables of the loop's condition that stayed what they were. */
  readonly stayed: readonly string[];
  /** Variables that come back to earlier values. */
  readonly returning: readonly MotionVariable[];
  /** Numbers that grow, on which nothing in the loop depends. */
  readonly counting: readonly MotionVariable[];
  /** A number of the condition that has run past what the loop waits for. */
  readonly past: MotionVariable | null;
  /** The size of the list that a `for` goes over, when it grows as fast as that goes on; null when none does. */
  readonly grows: MotionVariable | null;
  /** What the finding rests on that was not seen; null when all was. */
  readonly inferred: string | null;
}

/** What else was seen of a thread besides its variables. */
export interface Surroundings {
  /** Seconds over which the variables were watched. */
  readonly seconds: number;
  /** That it takes data from files or sockets, or gives data to them, in words; null when it was not seen to. */
  readonly movesData: string | null;
  /** It is known to go round from elsewhere: the same calls come again and again. */
  readonly goesRound?: boolean;
}
