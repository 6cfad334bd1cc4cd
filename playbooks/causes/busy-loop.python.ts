import type { MotionFrame, MotionVariable, SourceLine } from '../probes/py-stacks.motion.ts';
import {
  type Course,
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
import {
  asksForTime,
  callsIn,
  commonLoops,
  exitDependsOnRounds,
  functionLines,
  goesOneWay,
  hasExit,
  hasRunPast,
  isClock,
  isMeantToLast,
  type Loop,
  namesIn,
  onlyCounts,
  waitsForExactly,
} from '../reading/source.ts';

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
  /** What the finding rests on that was not seen; null when all was. */
  readonly inferred: string | null;
}

/** What else was seen of a thread besides its variables. */
export interface Surroundings {
  /** Seconds over which the variables were watched. */
  readonly seconds: number;
  /** That it takes data from files or sockets, or gives data to them, in words; null when it was not seen to. */
  readonly movesData: string | null;
}

/** Looks below which too little was seen of a thread's variables. */
const LOOKS_LEAST = 12;
/** Times that a frame must have been seen back at an instruction to say that it goes round. */
const TURNS_LEAST = 3;

const sameFunction = (a: { file: string; function: string; firstLine: number }, b: MotionFrame): boolean =>
  a.file === b.file && a.function === b.function && a.firstLine === b.firstLine;

/** The lines in which a frame at this depth was seen, from the sampled stacks. */
const linesOf = (thread: PythonThreadView, frame: MotionFrame): number[] => {
  const lines = new Set<number>();
  for (const stack of thread.stacks) {
    const seen = stack.frames[stack.frames.length - 1 - frame.depth];
    if (seen !== undefined && sameFunction(seen, frame)) lines.add(seen.line);
  }
  return [...lines].sort((a, b) => a - b);
};

const sourceOf = (source: readonly SourceLine[], frame: MotionFrame): SourceLine[] =>
  frame.function === '<module>'
    ? source.filter((line) => line.file === frame.file)
    : functionLines(source, frame.file, frame.firstLine);

/** The source of a frame's function, if it is the one that is there: of few functions of a file there is any. */
const ownSource = (thread: PythonThreadView, frame: MotionFrame, source: readonly SourceLine[]): SourceLine[] => {
  const found = sourceOf(source, frame);
  const lines = linesOf(thread, frame);
  return found.some((line) => lines.includes(line.line)) ? found : [];
};

interface Place {
  readonly frame: MotionFrame;
  readonly lines: readonly number[];
  readonly loop: Loop;
}

/** Whether what the frame's `for` loops go over was seen to begin again: then these come to an end, and something calls again. */
const beginsAgain = (frame: MotionFrame): boolean => {
  const iterators = frame.moving.filter((variable) => variable.name.startsWith('@iterator'));
  return iterators.length > 0 && iterators.every((variable) => courseOf(variable) === 'returns');
};

/** Where the loop is that a frame goes round: in it, or in one of the frames outside of it that called it. */
const findLoop = (
  thread: PythonThreadView,
  frames: readonly MotionFrame[],
  top: MotionFrame,
  source: readonly SourceLine[],
): Place | null => {
  const outwards = frames.filter((frame) => frame.depth <= top.depth).sort((a, b) => b.depth - a.depth);
  for (const frame of outwards) {
    const lines = linesOf(thread, frame);
    const loops = commonLoops(sourceOf(source, frame), frame.file, lines);
    const loop = loops.find((each) => each.kind === 'while') ?? (beginsAgain(frame) ? undefined : loops[0]);
    if (loop !== undefined) return { frame, lines, loop };
    if (isLibraryFile(frame.file) && !isLibraryFile(top.file)) return null;
  }
  return null;
};

interface Moving {
  readonly frame: MotionFrame;
  readonly variable: MotionVariable;
  readonly course: Course;
}

const rootOf = (name: string): string => name.replace(/^len\(/, '').split(/[.)]/)[0] ?? name;

/** The lines that run while the loop goes round: its body, and the functions that were seen to be called from it. */
const linesThatRun = (
  thread: PythonThreadView,
  place: Place | null,
  frames: readonly MotionFrame[],
  source: readonly SourceLine[],
): string[] =>
  place === null
    ? []
    : [
        ...place.loop.body,
        ...frames
          .filter((frame) => frame.depth > place.frame.depth)
          .flatMap((frame) => ownSource(thread, frame, source)),
      ].map((line) => line.text);

/** The names under which a variable may be written in those lines: an attribute of one object has many owners. */
const spellings = (name: string, lines: readonly string[]): string[] => {
  const dot = name.lastIndexOf('.');
  if (dot < 0) return [name];
  const word = new RegExp(`[\\w.]+\\.${name.slice(dot + 1).replace(/\W/g, '\\$&')}(?!\\w)`, 'g');
  return [...new Set(lines.flatMap((line) => line.match(word) ?? []))];
};

/** Whether a variable that grows only counts rounds: no line that runs in the loop depends on how large it is. */
const isRoundCounter = (moving: Moving, place: Place | null, lines: readonly string[]): boolean => {
  if (place === null || moving.course !== 'counts') return false;
  const names = spellings(moving.variable.name, lines);
  return names.length > 0 && names.every((name) => onlyCounts(place.loop.text, lines, name));
};

/** Whether a variable is bound by a `for` inside of the loop, so that it moves whenever that one goes on. */
const isBoundInside = (moving: Moving, loop: Loop | null, source: readonly SourceLine[]): boolean => {
  if (loop === null) return false;
  const root = rootOf(moving.variable.name);
  const heads = source.filter((line) => line.line > loop.line && line.line <= loop.endLine);
  return heads.some((line) => {
    const match = /^\s*(?:async )?for\s+(.*?)\s+in\s/.exec(line.text);
    return ((match?.[1] ?? '').match(/[A-Za-z_]\w*/g) ?? []).some((name) => name === root);
  });
};

const IMMUTABLE = /^(int|long|float|bool|str|unicode|bytes|NoneType)$/;

/** The most telling sign of progress: what goes one way, before counts, before what is merely new. */
const strongest = (blockers: readonly Moving[]): Moving | undefined => {
  const rank = (moving: Moving) => ['onward', 'counts', 'new'].indexOf(moving.course);
  return [...blockers].sort((a, b) => rank(a) - rank(b) || b.variable.changes - a.variable.changes)[0];
};

/** Whether an inner iteration has begun again so often that the loop around it has gone round many times. */
const innerRounds = (moving: readonly Moving[], frame: MotionFrame): number =>
  Math.max(
    0,
    ...moving
      .filter((each) => each.frame === frame && each.variable.name.startsWith('@iterator') && each.course === 'returns')
      .map((each) => Math.min(each.variable.up, each.variable.down)),
  );

interface Confidence {
  readonly confidence: number;
  readonly inferred: string | null;
}

/** Types of values that a round builds or fills anew; numbers and texts are merely bound. */
const BUILT =
  /^(list|dict|set|frozenset|tuple|bytearray|size|array\.array|numpy\.ndarray|collections\.\w+|defaultdict)$/;

/** What the rounds of a loop were seen to do: finish inner loops, build or refill containers; null when nothing like it. */
const workOf = (moving: readonly Moving[], place: Place): 'builds' | 'binds' | null => {
  const inside = moving.filter((each) => each.frame.depth >= place.frame.depth && each.variable.changes >= 3);
  const built = inside.some(
    ({ variable, course }) =>
      BUILT.test(variable.type) || (variable.name.startsWith('@iterator') && course === 'returns'),
  );
  return built ? 'builds' : inside.length > 0 ? 'binds' : null;
};

const LASTS = 'the loop may be meant to go on until it is told to stop, and its rounds do something';

/** How sure a loop without a way out can be told from one that is meant to last, by what its rounds do. */
const lastingConfidence = (loop: Loop, text: readonly string[], work: 'builds' | 'binds' | null): Confidence => {
  const constant = /^\(?\s*(True|1)\s*\)?$/.test(loop.text.trim());
  const exit = constant && hasExit(loop.body.map((line) => line.text));
  const depends = exit && exitDependsOnRounds(loop);
  if (exit && work === 'builds' && !depends) return { confidence: 0.45, inferred: LASTS };
  if (exit) return { confidence: 0.92, inferred: null };
  if (work !== null) return { confidence: 0.45, inferred: LASTS };
  const calls = callsIn(text.join('\n'));
  return calls.length === 0 || callsIn(loop.text).length > 0
    ? { confidence: callsIn(loop.text).length > 0 ? 0.85 : 0.92, inferred: null }
    : { confidence: 0.7, inferred: `what ${calls.slice(0, 3).join(', ')} in the loop does besides was not seen` };
};

/** The finding's confidence from what the loop waits for and what its rounds do. */
const confidenceOf = (
  place: Place | null,
  spin: Spin,
  moving: readonly Moving[],
  text: readonly string[],
  looked: { readonly complete: boolean; readonly looks: number },
  around: Surroundings,
): Confidence => {
  const loop = place?.loop ?? null;
  if (loop === null || place === null) {
    return { confidence: 0.45, inferred: 'the loop itself, or its source, could not be found' };
  }
  const sized = (name: string) =>
    place.frame.still.includes(`len(${name})`) || place.frame.moving.some((each) => each.name === `len(${name})`);
  const lasting = loop.kind === 'while' && isMeantToLast(loop.text, text, sized);
  const work = workOf(moving, place);
  const movesData = around.movesData;
  if (movesData !== null && (lasting || work === 'builds' || loop.kind === 'for')) {
    return { confidence: 0.45, inferred: `${movesData} meanwhile, so its rounds may do what they are meant to do` };
  }
  if (loop.kind === 'while' && asksForTime(loop.text)) {
    const others = namesIn(loop.text).filter((name) => !asksForTime(name));
    const waits = others.some((name) => spin.stayed.includes(name)) && /\band\b/.test(loop.text) && work !== 'builds';
    return waits
      ? { confidence: 0.6, inferred: 'the loop also looks at the time, so it ends at its deadline' }
      : { confidence: 0.4, inferred: 'the loop looks at the time, so it may be meant to end at some moment' };
  }
  const base = lasting ? lastingConfidence(loop, text, work) : dataConfidence(loop);
  const limits: Confidence[] = [
    base,
    ...(movesData === null
      ? []
      : [{ confidence: 0.6, inferred: `${movesData} meanwhile, which brought it no nearer its end` }]),
    ...(looked.complete ? [] : [{ confidence: 0.7, inferred: 'not all variables of the frames could be looked at' }]),
    ...(looked.looks >= 20 ? [] : [{ confidence: 0.75, inferred: `it was seen running only ${looked.looks} times` }]),
  ];
  return limits.reduce((least, each) => (each.confidence < least.confidence ? each : least), base);
};

/** A loop that waits for data: sure unless its condition asks something that was not seen. */
const dataConfidence = (loop: Loop): Confidence => {
  const calls = loop.kind === 'for' ? [] : callsIn(loop.text);
  return calls.length > 0
    ? {
        confidence: 0.85,
        inferred: `what ${calls.join(', ')} in the loop's condition depends on besides these variables was not seen`,
      }
    : { confidence: 0.92, inferred: null };
};

/** Whether a variable changed often enough to be told from one that was read while its frame was being set up. */
const isTelling = ({ changes, looks }: MotionVariable): boolean => changes >= 4 && changes >= 0.15 * looks;

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
    movingIn(frame).map((variable): Moving => ({ frame, variable, course: courseOf(variable) })),
  );
  const isTime = (each: Moving): boolean => isClockValue(each.variable, around.seconds);
  const moved = moving.filter((each) => each.course !== 'few' && each.course !== 'returns');
  // A frame of a library that comes and goes is looked at while it is being set up: one change there tells nothing.
  const telling = moved.filter(
    (each) => !isTime(each) && !(isLibraryFile(each.frame.file) && each.variable.changes === 1),
  );
  const top = frames.find(runs);
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
    inferred: null,
  };

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
  if (turns(top) < TURNS_LEAST) {
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
      inferred: null,
    };
    return { kind: 'spins', confidence: 0.92, spin };
  }
  const strong = strongest(telling);
  if (strong !== undefined) return { kind: 'works', ...strong };
  const goesRound = moving.find((each) => each.course === 'returns' && each.variable.back >= 8)?.variable ?? null;
  return { kind: 'native', frame: inner, lines, goesRound };
};
