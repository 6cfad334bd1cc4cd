import type { Motion, MotionFrame, MotionVariable } from '../probes/py-stacks.motion.ts';

/**
 * What a variable's changes say:
 * `returns`: it keeps coming back to values that it had before, or an iterator begins again and again;
 * `counts`: a whole number that only grows or only shrinks;
 * `onward`: an iterator, a size or another number that goes one way, so something comes nearer its end;
 * `new`: ever new values;
 * `few`: too few changes or looks to tell.
 */
export type Course = 'returns' | 'counts' | 'onward' | 'new' | 'few';

/** Looks below which the changes of a variable tell nothing. */
const LOOKS_LEAST = 8;
/** Looks below which it is no wonder that no value was seen twice. */
const NEW_LEAST = 20;

const isIterator = (variable: MotionVariable): boolean =>
  variable.type === 'enumerate' || /iter(ator)?$|^itertools\.|^(zip|map|filter|reversed)$/.test(variable.type);

/** A look at a running program is wrong now and then; so one in twenty may go the other way. */
const oneWay = (variable: MotionVariable): boolean => {
  const back = Math.min(variable.up, variable.down);
  const compared = variable.up + variable.down;
  // What is not compared was of another type: half of a number and half of something else tells nothing.
  return compared > 0 && compared >= 0.5 * variable.changes && back <= 0.05 * compared;
};

/** Looks that must fit into a rising or falling course before the rest is taken for looks that went wrong. */
const ONE_WAY_LEAST = 8;

/**
 * Whether most looks fit into one rising (or falling) course. What does not fit was read while the program ran on: an
 * integer that it had just freed, in whose block a temporary value lay by then.
 */
const mostlyOneWay = ({ rising, falling, changes }: MotionVariable): boolean => {
  const longest = Math.max(rising ?? 0, falling ?? 0);
  return longest >= ONE_WAY_LEAST && longest >= 0.7 * (changes + 1);
};

/** The course of a variable that moved. */
export const courseOf = (variable: MotionVariable): Course => {
  const { changes, back, looks } = variable;
  // What was empty in the first look and never again was looked at while it was being built.
  if (variable.type === 'size' && changes === 1 && variable.from === '0') return 'few';
  if (mostlyOneWay(variable)) return /^(int|long|endless)$/.test(variable.type) ? 'counts' : 'onward';
  if (isIterator(variable) && variable.type !== 'endless') {
    if (oneWay(variable)) return looks < LOOKS_LEAST || changes < 2 ? 'few' : 'onward';
    if (Math.min(variable.up, variable.down) >= 2) return 'returns';
  }
  if (looks < LOOKS_LEAST) return 'few';
  const goesOn = oneWay(variable) && variable.up + variable.down > 4;
  if (!goesOn && back >= Math.min(2, changes / 4) && back >= 0.04 * changes) return 'returns';
  if (oneWay(variable)) return /^(int|long|endless)$/.test(variable.type) ? 'counts' : 'onward';
  // Of hundreds of values that come in turn, a few looks see none twice.
  return looks < NEW_LEAST ? 'few' : 'new';
};

const SECOND_SCALES = [1, 1e3, 1e6, 1e9];

/**
 * Whether a number is the time of day or a time that has passed, in seconds or a thousandth, millionth or billionth of
 * them: it went on by about the window's length. A whole number may also count work, so it must look like a date, or
 * grow as fast as nothing but a count of nanoseconds does.
 */
export const isClockValue = (variable: MotionVariable, windowSeconds: number): boolean => {
  const from = Number(variable.from ?? Number.NaN);
  const to = Number(variable.to ?? Number.NaN);
  if (windowSeconds < 0.4 || !Number.isFinite(from) || !Number.isFinite(to)) return false;
  const whole = Number.isInteger(from) && Number.isInteger(to);
  return SECOND_SCALES.some((scale) => {
    const went = (to - from) / scale;
    if (went < 0.6 * windowSeconds - 0.1 || went > 1.2 * windowSeconds + 0.3) return false;
    const date = from / scale > 1.2e9 && from / scale < 6e9;
    return date || (whole ? scale === 1e9 : true);
  });
};

/** Whether a frame was seen at different instructions: it ran, and did not wait for one call to return. */
export const runs = (frame: MotionFrame): boolean => frame.moving.some((variable) => variable.name === '@instruction');

/** Changes of a frame's instruction back to where it had been: it goes round. */
export const turns = (frame: MotionFrame): number =>
  frame.moving.find((variable) => variable.name === '@instruction')?.back ?? 0;

/** The frames of a motion, outermost first, that were there in at least `share` of the looks at the innermost ones. */
export const orderedFrames = (motion: Motion): MotionFrame[] => [...motion.frames].sort((a, b) => a.depth - b.depth);

/** Event loops in native code: their clocks and counters go on with each turn, whatever the program does. */
const EVENT_LOOP = /^(gevent|uvloop)\.(\w+\.)*[lL]oop$/;

/** Everything that moved in a frame, besides its own instruction and the inside of event loops. */
export const movingIn = (frame: MotionFrame): MotionVariable[] =>
  frame.moving.filter((variable) => variable.name !== '@instruction' && !EVENT_LOOP.test(variable.type));

/** Whether the frames show one function inside of itself: then state is in the stack, where it is not looked for. */
export const recursesAmong = (frames: readonly MotionFrame[]): boolean => {
  const depths = new Map<string, Set<number>>();
  for (const frame of frames) {
    const key = `${frame.file}\0${frame.function}\0${frame.firstLine}`;
    depths.set(key, (depths.get(key) ?? new Set()).add(frame.depth));
  }
  return [...depths.values()].some((each) => each.size > 1);
};

/** Whether a name (`self.pending`, `want`) was looked at in a frame and stayed what it was, its size included. */
export const stayed = (frame: MotionFrame, name: string): boolean =>
  frame.still.includes(name) && !frame.moving.some((variable) => variable.name === `len(${name})`);
