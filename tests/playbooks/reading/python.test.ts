import { describe, expect, it } from 'vitest';
import type { PythonFrame, PythonStack } from '../../../playbooks/model/index.ts';
import {
  frameName,
  isLibraryFile,
  ownFrame,
  type PythonThreadView,
  samplesWhere,
  shareWhere,
  steadyFrames,
  steadyName,
  threadName,
} from '../../../playbooks/reading/python.ts';

const frame = (name: string, line: number, file = '/srv/app.py'): PythonFrame => ({
  function: name,
  file,
  line,
  firstLine: 1,
  signal: null,
  holds: [],
  at: line,
});
const stack = (count: number, ...frames: PythonFrame[]): PythonStack => ({ count, frames });

const view = (...stacks: PythonStack[]): PythonThreadView => ({
  tid: 7,
  name: 'worker',
  main: false,
  from: 'py-stacks',
  evidenceId: 'E1',
  samples: stacks.reduce((sum, each) => sum + each.count, 0),
  missed: 0,
  gil: null,
  stacks,
  waitsFor: null,
  motion: null,
  native: [],
  at: 1,
});

describe('the frames that stay', () => {
  const main = frame('main', 90);

  it('are those of all samples, with the lines that they were in', () => {
    const steady = steadyFrames(
      view(
        stack(40, frame('pick', 50), main),
        stack(15, frame('check', 9), frame('pick', 51), main),
        stack(5, frame('pick', 49), main),
      ),
    );
    expect(steady.map((each) => [each.depth, each.function, each.lines])).toEqual([
      [0, 'main', [90]],
      [1, 'pick', [49, 50, 51]],
    ]);
    expect(steady[1]?.innermost).toBe(45);
    expect(steady[1]?.counts.get(50)).toBe(40);
    expect(steadyName(steady[1] ?? (undefined as never))).toBe('`pick` (`/srv/app.py:49-51`)');
  });

  it('may be left by a few samples', () => {
    const steady = steadyFrames(view(stack(58, frame('pick', 50), main), stack(2, frame('log', 3), main)));
    expect(steady.map((each) => each.function)).toEqual(['main', 'pick']);
  });

  it('end where the samples part', () => {
    expect(
      steadyFrames(view(stack(30, frame('a', 1), main), stack(30, frame('b', 2), main))).map((each) => each.function),
    ).toEqual(['main']);
    expect(steadyFrames(view())).toEqual([]);
  });
});

it('tells the program’s own files from those of the interpreter and of packages', () => {
  const library = [
    '/usr/lib/python3.11/socket.py',
    '/usr/lib/python3/dist-packages/x.py',
    '/v/lib/python3.12/site-packages/a/b.py',
    '<frozen importlib._bootstrap>',
    '/usr/lib/python2.7/threading.py',
  ];
  const own = ['/srv/app.py', './service/recall.py', '<string>', '/home/python3/app.py', 'lib/tools.py'];
  expect(library.filter((file) => !isLibraryFile(file))).toEqual([]);
  expect(own.filter(isLibraryFile)).toEqual([]);
  const wait = frame('wait', 3, '/usr/lib/python3.11/threading.py');
  expect(ownFrame(stack(1, wait, frame('main', 9)))?.function).toBe('main');
  expect(ownFrame(stack(1, wait))?.function).toBe('wait');
  expect(ownFrame(stack(1))).toBeNull();
});

it('counts samples, and takes those that were missed as not', () => {
  const thread = { ...view(stack(30, frame('a', 1)), stack(10, frame('b', 2))), missed: 20 };
  const inA = (each: PythonStack) => each.frames[0]?.function === 'a';
  expect(samplesWhere(thread, inA)).toBe(30);
  expect(shareWhere(thread, inA)).toBe(0.5);
  expect(shareWhere(view(), inA)).toBe(0);
});

it('calls threads and frames by name, hostile ones included', () => {
  expect(threadName({ tid: 7, name: '', main: true })).toBe('the main thread');
  expect(threadName({ tid: 7, name: 'w`\n1', main: false })).toBe("thread 7 (`w'\\x0a1`)");
  expect(threadName({ tid: null, name: '', main: false })).toBe('a thread');
  expect(frameName(frame('a\tb', 3))).toBe('`a\\x09b` (`/srv/app.py:3`)');
});
