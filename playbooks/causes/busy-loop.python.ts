import type { MotionFrame, SourceLine } from '../probes/py-stacks.motion.ts';
import {
  courseOf,
  isClockValue,
  movingIn,
  orderedFrames,
  recursesAmong,
  runs,
  stayed,
  turns,
} from '../reading/motion.ts';
import { isLibraryFile, type PythonThreadView } from '../reading/python.ts';
import { commonLoops } from '../reading/source.ts';
import {
  asksForTime,
  callsIn,
  goesOneWay,
  hasRunPast,
  isClock,
  namesIn,
  waitsForExactly,
} from '../reading/source-variables.ts';
import {
  growsAlong,
  IMMUTABLE,
  innerRounds,
  isBoundInside,
  isOfOthers,
  isRoundCounter,
  isTelling,
  type Moving,
  strongest,
} from './busy-loop.moving.ts';
import { findLoop, linesOf, linesThatRun, sourceOf } from './busy-loop.place.ts';
import type { PythonCourse, Spin, Surroundings } from './busy-loop.spin.ts';
import { confidenceOf } from './busy-loop.sureness.ts';

/** Looks below which too little was seen of a thread's variables. */
const LOOKS_LEAST = 12;
/** Times that a frame must have been seen back at an instruction to say that it goes round. */
const TURNS_LEAST = 3;

/** Decides whether a thread that burns CPU in Python code gets on. Pure. */
export const pythonCourse = (
  thread: PythonThreadView,
  source: readonly SourceLine[],
  around: Surroundings,
): PythonCourse => {
  const { motion } = thread;
  if (motion === null) return { kind: 'untold', why: 'its variables could not be watched' };
  if (motion.looks < LOOKS_LEAST) {
    return { kind: 'untold', why: `it was seen running Python code only ${motion.looks} times` };
  }
  const frames = orderedFrames(motion);
  const moving = frames.flatMap((frame) =>
    movingIn(frame).map(
      (variable): Moving => ({ frame, variable, course: isOfOthers(variable, frame) ? 'few' : courseOf(variable) }),
    ),
  );
  const isTime = (each: Moving): boolean => isClockValue(each.variable, around.seconds);
  const moved = moving.filter((each) => each.course !== 'few' && each.course !== 'returns');
  // A frame of a library that comes and goes is looked at while it is being set up: one change there tells nothing.
  const telling = moved.filter(
    (each) => !isTime(each) && !(isLibraryFile(each.frame.file) && each.variable.changes === 1),
  );
  const top = frames.find(runs) ?? (around.goesRound === true ? frames.at(-1) : undefined);
  if (top === undefined) return nativeCourse(thread, frames, moving, telling, source);

  const active = frames.filter((frame) => frame.depth >= top.depth);
  const first = recursesAmong(active) ? active.find((frame) => frame.moving.length > 0) : top;
  if (recursesAmong(active) && turns(first ?? top) < TURNS_LEAST) {
    return { kind: 'untold', why: `it is deep in calls of ${top.function} to itself, whose state is in the stack` };
  }
  const place = findLoop(thread, frames, top, source);
  const loop = place?.loop ?? null;
  const text = linesThatRun(thread, place, active, source);
  const counters = telling.filter((each) => isRoundCounter(each, place, text));
  const clocks = telling.filter((each) => isClock(text, each.variable.name));
  const timed = [...clocks, ...moved.filter((each) => isTime(each) && !isLibraryFile(each.frame.file))];
  const derived = telling.filter(
    (each) => each.frame.depth === (place?.frame.depth ?? top.depth) && isBoundInside(each, loop, source),
  );
  const rounds = place === null ? 0 : innerRounds(moving, place.frame);
  const excused = (each: Moving): boolean =>
    counters.includes(each) ||
    clocks.includes(each) ||
    (rounds >= 2 && derived.includes(each) && IMMUTABLE.test(each.variable.type));
  const blockers = telling.filter((each) => !excused(each));
  const conditionNames = loop === null || loop.kind === 'for' ? [] : namesIn(loop.text);
  const still = place === null ? [] : conditionNames.filter((name) => stayed(place.frame, name));
  const spin: Spin = {
    frame: place?.frame ?? top,
    lines: place?.lines ?? linesOf(thread, top),
    loop,
    stayed: still,
    returning: moving
      .filter((each) => each.course === 'returns' && each.frame.depth >= top.depth && isTelling(each.variable))
      .sort((a, b) => Number(isLibraryFile(a.frame.file)) - Number(isLibraryFile(b.frame.file)))
      .map((each) => each.variable),
    counting: counters.map((each) => each.variable),
    past: null,
    grows: null,
    inferred: null,
  };

  const grows = place === null ? null : growsAlong(place, moving);
  if (grows !== null) return { kind: 'spins', confidence: 0.92, spin: { ...spin, grows } };
  const past = blockers.find(
    ({ variable }) =>
      loop?.kind === 'while' && hasRunPast(loop.text, variable.name, Number(variable.from), Number(variable.to)),
  );
  if (past !== undefined) return { kind: 'spins', confidence: 0.92, spin: { ...spin, past: past.variable } };
  const counted = moving.find(
    ({ frame, variable }) =>
      loop?.kind === 'while' &&
      frame === place?.frame &&
      conditionNames.includes(variable.name) &&
      goesOneWay(text, variable.name),
  );
  const strong = strongest(blockers) ?? (counted === undefined ? undefined : { ...counted, course: 'counts' as const });
  if (strong !== undefined) {
    const bigPool =
      rounds >= 8 &&
      loop?.kind === 'while' &&
      callsIn(loop.text).length === 0 &&
      !asksForTime(loop.text) &&
      conditionNames.length > 0 &&
      still.length === conditionNames.length &&
      blockers.every((each) => derived.includes(each));
    if (bigPool) {
      const inferred = 'the inner loop goes over so many things that none was seen twice';
      return { kind: 'spins', confidence: 0.7, spin: { ...spin, inferred } };
    }
    if (loop?.kind === 'while' && blockers.length <= 1 && waitsForExactly(loop.text, strong.variable.name)) {
      return {
        kind: 'untold',
        why: `${strong.variable.name} goes on, and may have passed what ${loop.text} waits for`,
      };
    }
    return { kind: 'works', ...strong };
  }
  // A loop that is nearly always in what it calls is seldom met in its own frame: what it calls was seen to begin again.
  const calls = active.some((frame) => frame.depth > top.depth && turns(frame) >= 2 * TURNS_LEAST);
  if (around.goesRound !== true && turns(top) < TURNS_LEAST && !calls) {
    return { kind: 'untold', why: `${top.function} was hardly seen to go back to where it had been` };
  }
  if (timed.length > 0 && !(loop !== null && asksForTime(loop.text))) {
    const ends = text.some((line) => /^\s*(break|return|raise)\b|:\s*(break|return)\b/.test(line));
    const inferred = 'the loop looks at the time, so it may be meant to end, or to do something, at some moment';
    return { kind: 'spins', confidence: ends ? 0.45 : 0.7, spin: { ...spin, inferred } };
  }
  const { confidence, inferred } = confidenceOf(place, spin, moving, text, motion, around);
  return { kind: 'spins', confidence, spin: { ...spin, inferred } };
};

/** No frame was seen at two instructions: one call lasts, or one instruction jumps to itself. */
const nativeCourse = (
  thread: PythonThreadView,
  frames: readonly MotionFrame[],
  moving: readonly Moving[],
  telling: readonly Moving[],
  source: readonly SourceLine[],
): PythonCourse => {
  const inner = frames.at(-1);
  if (inner === undefined) return { kind: 'untold', why: 'none of its frames could be looked at' };
  const lines = linesOf(thread, inner);
  const text = source.filter((line) => line.file === inner.file && lines.includes(line.line)).map((line) => line.text);
  const loops = commonLoops(sourceOf(source, inner), inner.file, lines);
  const empty = text.length === 1 && /^\s*while\s+(True|1)\s*:\s*(pass|continue|\.\.\.)?\s*(#.*)?$/.test(text[0] ?? '');
  const emptyBody =
    text.length === 1 && /^\s*(pass|continue|\.\.\.)\s*(#.*)?$/.test(text[0] ?? '') && loops[0] !== undefined;
  if (telling.length === 0 && (empty || emptyBody)) {
    const loop = loops[0] ?? null;
    const spin: Spin = {
      frame: inner,
      lines,
      loop,
      stayed: [],
      returning: [],
      counting: [],
      past: null,
      grows: null,
      inferred: null,
    };
    return { kind: 'spins', confidence: 0.92, spin };
  }
  const strong = strongest(telling);
  if (strong !== undefined) return { kind: 'works', ...strong };
  const goesRound = moving.find((each) => each.course === 'returns' && each.variable.back >= 8)?.variable ?? null;
  return { kind: 'native', frame: inner, lines, goesRound };
};
