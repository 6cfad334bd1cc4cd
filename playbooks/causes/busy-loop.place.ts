import type { MotionFrame, SourceLine } from '../probes/py-stacks.motion.ts';
import { courseOf } from '../reading/motion.ts';
import { isLibraryFile, type PythonThreadView } from '../reading/python.ts';
import { commonLoops, functionLines, type Loop } from '../reading/source.ts';

const sameFunction = (a: { file: string; function: string; firstLine: number }, b: MotionFrame): boolean =>
  a.file === b.file && a.function === b.function && a.firstLine === b.firstLine;

/** The lines in which a frame at this depth was seen, from the sampled stacks. */
export const linesOf = (thread: PythonThreadView, frame: MotionFrame): number[] => {
  const lines = new Set<number>();
  for (const stack of thread.stacks) {
    const seen = stack.frames[stack.frames.length - 1 - frame.depth];
    if (seen !== undefined && sameFunction(seen, frame)) lines.add(seen.line);
  }
  return [...lines].sort((a, b) => a - b);
};

export const sourceOf = (source: readonly SourceLine[], frame: MotionFrame): SourceLine[] =>
  frame.function === '<module>'
    ? source.filter((line) => line.file === frame.file)
    : functionLines(source, frame.file, frame.firstLine);

/** The source of a frame's function, if it is the one that is there: of few functions of a file there is any. */
const ownSource = (thread: PythonThreadView, frame: MotionFrame, source: readonly SourceLine[]): SourceLine[] => {
  const found = sourceOf(source, frame);
  const lines = linesOf(thread, frame);
  return found.some((line) => lines.includes(line.line)) ? found : [];
};

export interface Place {
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
export const findLoop = (
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

/** The lines that run while the loop goes round: its body, and the functions that were seen to be called from it. */
export const linesThatRun = (
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
