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
  return variable.up + variable.down > 0 && back <= 0.05 * (variable.up + variable.down);
};

/** The course of a variable that moved. */
export const courseOf = (variable: MotionVariable): Course => {
  const { changes, back, looks } = variable;
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

/** Whether a frame was seen at different instructions: it ran, and did not wait for one call to return. */
export const runs = (frame: MotionFrame): boolean => frame.moving.some((variable) => variable.name === '@instruction');

/** Changes of a frame's instruction back to where it had been: it goes round. */
export const turns = (frame: MotionFrame): number =>
  frame.moving.find((variable) => variable.name === '@instruction')?.back ?? 0;

/** The frames of a motion, outermost first, that were there in at least `share` of the looks at the innermost ones. */
export const orderedFrames = (motion: Motion): MotionFrame[] => [...motion.frames].sort((a, b) => a.depth - b.depth);

/** Everything that moved in a frame, besides its own instruction. */
export const movingIn = (frame: MotionFrame): MotionVariable[] =>
  frame.moving.filter((variable) => variable.name !== '@instruction');

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
