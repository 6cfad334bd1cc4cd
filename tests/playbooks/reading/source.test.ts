import { describe, expect, it } from 'vitest';
import type { SourceLine } from '../../../playbooks/probes/py-stacks.motion.ts';
import { commonLoops, functionLines, loopsAround } from '../../../playbooks/reading/source.ts';
import {
  asksForTime,
  callsIn,
  hasRunPast,
  isClock,
  namesIn,
  onlyCounts,
} from '../../../playbooks/reading/source-variables.ts';

const source = (text: string): SourceLine[] =>
  text.split('\n').map((line, index) => ({ file: 'a.py', line: index + 1, text: line, at: index + 1 }));

const PICK = source(`class Pool:
    def pick(self, want):
        taken = []
        while self.usable and len(taken) < want:
            # a comment: while True
            for index, (name, host) in enumerate(self.hosts):

                if host.used:
                    continue
                taken.append(name)
        return taken

    @cached
    def other(self):
        return 1

value = 2`);

describe('the loops around a line', () => {
  it('are found from the inside outwards, with what they say', () => {
    const loops = loopsAround(PICK, 'a.py', 8);
    expect(loops.map(({ kind, line, endLine, text, targets }) => ({ kind, line, endLine, text, targets }))).toEqual([
      { kind: 'for', line: 6, endLine: 10, text: 'enumerate(self.hosts)', targets: ['index', 'name', 'host'] },
      { kind: 'while', line: 4, endLine: 10, text: 'self.usable and len(taken) < want', targets: [] },
    ]);
  });

  it('count for the head of the loop too, and not after it', () => {
    expect(loopsAround(PICK, 'a.py', 4).map((loop) => loop.line)).toEqual([4]);
    expect(loopsAround(PICK, 'a.py', 11)).toEqual([]);
    expect(loopsAround(PICK, 'a.py', 99)).toEqual([]);
  });

  it('that all lines have in common', () => {
    expect(commonLoops(PICK, 'a.py', [6, 8, 4]).map((loop) => loop.line)).toEqual([4]);
    expect(commonLoops(PICK, 'a.py', [])).toEqual([]);
  });

  it('may go over several lines, in tabs, with an else', () => {
    const lines = source('def f():\n\twhile (a and\n\t\tb(c)):\n\t\twork()\n\telse:\n\t\tdone()\n\treturn');
    const [loop] = loopsAround(lines, 'a.py', 4);
    expect(loop).toMatchObject({ kind: 'while', line: 2, endLine: 4 });
    expect(loop?.text).toContain('a and b(c)');
  });
});

describe('the lines of a function', () => {
  it('end where the next one begins', () => {
    expect(functionLines(PICK, 'a.py', 2).at(-1)?.text.trim()).toBe('');
    expect(
      functionLines(PICK, 'a.py', 2)
        .filter((line) => line.text.includes('return'))
        .map((line) => line.line),
    ).toEqual([11]);
  });

  it('begin at the decorator', () => {
    expect(functionLines(PICK, 'a.py', 13).map((line) => line.line)).toEqual([13, 14, 15, 16]);
  });
});

describe('what a condition depends on', () => {
  it('is told by its names, without functions, words of the language and text', () => {
    expect(namesIn('not self.done and len(todo) < limit and name != "x y"')).toEqual([
      'self.done',
      'todo',
      'limit',
      'name',
    ]);
    expect(namesIn('queue.empty()')).toEqual(['queue']);
    expect(callsIn('len(x) < 3 and not queue.empty()')).toEqual(['queue.empty']);
  });

  it('may be the time', () => {
    expect(asksForTime('time.monotonic() < end')).toBe(true);
    expect(asksForTime('left < deadline')).toBe(true);
    expect(asksForTime('"time" in words')).toBe(false);
    expect(isClock(['now = time.time()', 'x = 1'], 'now')).toBe(true);
    expect(isClock(['now = time.time()', 'x = 1'], 'x')).toBe(false);
  });
});

describe('a number that grows', () => {
  it('is a count of rounds when nothing depends on it', () => {
    expect(onlyCounts('todo', ['    rounds += 1', '    take(todo)'], 'rounds')).toBe(true);
    expect(onlyCounts('todo', ['    i = i + 1', '    take(items[i % n])'], 'i')).toBe(true);
    expect(onlyCounts('todo', ['    self.n += 1'], 'self.n')).toBe(true);
  });

  it('is none when the condition or a line does', () => {
    expect(onlyCounts('rounds < 10', ['    rounds += 1'], 'rounds')).toBe(false);
    expect(onlyCounts('todo', ['    i += 1', '    take(items[i])'], 'i')).toBe(false);
    expect(onlyCounts('todo', ['    take(todo)'], 'i')).toBe(false);
  });

  it('may have run past what the loop waits for', () => {
    expect(hasRunPast('left != 0', 'left', -2, -500)).toBe(true);
    expect(hasRunPast('left', 'left', -2, -500)).toBe(true);
    expect(hasRunPast('x != 1.0', 'x', 1.1, 900)).toBe(true);
    expect(hasRunPast('left != 0', 'left', 500, 2)).toBe(false);
    expect(hasRunPast('left > 0', 'left', -2, -500)).toBe(false);
  });
});
