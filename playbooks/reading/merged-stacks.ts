import type { PythonFrame } from '../model/index.ts';
import type { NativeFrame, NativeThread } from '../probes/native-stacks.ts';
import type { PyStacksData, PythonThread } from '../probes/py-stacks.ts';
import { count, duration, lineRange } from './text.ts';

/** C and Python frames of the same threads, read by two tools, as one stack. */

/** The C function that executes Python code: for one frame each to 3.10, for several from 3.11 on (Python/ceval.c). */
const EVALUATES = /^_?PyEval_EvalFrame(?:Ex|Default)?$/;
const INTERPRETER = /(?:^|\/)(?:lib)?python\d?[\d.]*[a-z]*(?:\.so[\d.]*)?$/;
const SYSTEM = /(?:^|\/)(?:libc|libpthread|ld-linux[\w-]*|ld-musl[\w-]*)[-.\d]*\.so|^\[?linux-vdso/;
const FRAMES_MOST = 8;
const ABOVE_MOST = 5;

const nameOf = (frame: NativeFrame): string => frame.function ?? frame.address;
const fileOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

const isOthers = (frame: NativeFrame): boolean =>
  frame.module !== null && !INTERPRETER.test(frame.module) && !SYSTEM.test(fileOf(frame.module));

const nativeLine = (frame: NativeFrame): string =>
  `  C ${nameOf(frame)}${frame.module === null || INTERPRETER.test(frame.module) ? '' : ` in ${fileOf(frame.module)}`}`;

const pythonLine = (frame: PythonFrame): string => `  ${frame.function}  ${frame.file}:${frame.line}`;

/** The frames of other libraries between the Python frames, by how many Python frames stand above them. */
const between = (native: readonly NativeFrame[], python: number): ReadonlyMap<number, NativeFrame[]> => {
  const places = native.flatMap((frame, index) => (EVALUATES.test(frame.function ?? '') ? [index] : []));
  const found = new Map<number, NativeFrame[]>();
  // Only where each C frame runs one Python frame it is known which stand between which.
  if (places.length !== python) return found;
  places.forEach((place, index) => {
    const others = native.slice(place + 1, places[index + 1] ?? place + 1).filter(isOthers);
    if (others.length > 0) found.set(index + 1, others);
  });
  return found;
};

/**
 * One thread in lines: its C frames above the innermost Python frame, the Python frames that were seen most often, and between them
 * the frames of other libraries where that can be told. Innermost first.
 */
export const mergedStack = (native: NativeThread, thread: PythonThread | null): string[] => {
  const frames = thread?.stacks[0]?.frames ?? [];
  const first = native.frames.findIndex((frame) => EVALUATES.test(frame.function ?? ''));
  const above = frames.length === 0 || first < 0 ? native.frames : native.frames.slice(0, first);
  const others = between(native.frames, frames.length);
  const python = frames.flatMap((frame, index) => [
    ...(index === 0 ? [] : (others.get(index) ?? []).slice(0, 2).map(nativeLine)),
    pythonLine(frame),
  ]);
  const left = python.length - FRAMES_MOST;
  return [
    ...above.slice(0, ABOVE_MOST).map(nativeLine),
    ...(above.length > ABOVE_MOST ? [`  ... ${count(above.length - ABOVE_MOST, 'C frame')} more`] : []),
    ...python.slice(0, FRAMES_MOST),
    ...(left > 0 ? [`  ... ${count(left, 'frame')} more`] : []),
  ];
};

const headOf = (native: NativeThread, thread: PythonThread | null): string => {
  if (thread === null) return `thread ${native.tid}, without Python frames:`;
  const stack = thread.stacks[0];
  const lines = [...new Set(thread.stacks.flatMap((each) => each.frames.slice(0, 1).map((frame) => frame.line)))];
  const seen =
    thread.samples > 0 && stack !== undefined ? `, in this stack ${stack.count} of ${thread.samples} times` : '';
  const moves = lines.length > 1 && lines.length < 8 ? ` (lines ${lineRange(lines)})` : '';
  return `thread ${native.tid}${thread.name === '' ? '' : ` "${thread.name}"`}${seen}${moves}:`;
};

/** All threads, those with Python code that ran first; threads with the very same stack are told once. */
export const mergedStacks = (native: readonly NativeThread[], python: PyStacksData): string[] => {
  const seen = new Map<string, { head: string; lines: string[]; tids: number[]; rank: number }>();
  for (const each of native) {
    const thread = python.threads.find((other) => other.tid === each.tid) ?? null;
    const lines = mergedStack(each, thread);
    const rank = thread === null ? 2 : thread.gil > 0 ? 0 : 1;
    const known = seen.get(lines.join('\n'));
    if (known === undefined) seen.set(lines.join('\n'), { head: headOf(each, thread), lines, tids: [each.tid], rank });
    else known.tids.push(each.tid);
  }
  const stacks = [...seen.values()]
    .toSorted((a, b) => a.rank - b.rank)
    .flatMap(({ head, lines, tids }) => [
      tids.length === 1 ? head : `${head.slice(0, -1)}, and ${count(tids.length - 1, 'thread')} more like it:`,
      ...lines,
    ]);
  return [
    `C frames of one moment, Python frames as they were seen most often in ${duration(python.seconds)}`,
    ...stacks,
  ];
};
