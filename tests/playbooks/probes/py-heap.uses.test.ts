import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const PROBES = path.join(import.meta.dirname, '../../../playbooks/probes');
const ASK = `
import json, sys
sys.path.insert(0, sys.argv[1])
from py_read_uses import loop_around, made_anew
lines, bound, adds = json.loads(sys.stdin.read())
print(json.dumps([made_anew(lines, bound, adds), [loop_around(lines, line) for line in adds]]))
`;

/** Whether a name that is bound in one line and added to in others begins anew in each round, and the loops of these others. */
const asked = (source: string): [boolean, string[]] => {
  const lines = source.split('\n');
  const bound = lines.findIndex((line) => line.includes('rows = ')) + 1;
  const adds = lines.flatMap((line, at) => (line.includes('rows.append') ? [at + 1] : []));
  const argv = ['-I', '-S', '-B', '-c', ASK, PROBES];
  const answer = execFileSync('/usr/bin/python3', argv, { input: JSON.stringify([lines, bound, adds]) });
  return JSON.parse(answer.toString());
};

describe('a container that is bound in a loop', () => {
  it('is made anew in each round, so that what is added to it goes with the round', () => {
    const source =
      'def build():\n    while True:\n        rows = []\n        for each in source():\n            rows.append(each)';
    expect(asked(source)).toEqual([true, ['endless']]);
  });

  it('is made anew where it is filled in the line of the loop itself', () => {
    expect(asked('while True:\n    rows = []\n    for each in range(9): rows.append(each)')).toEqual([
      true,
      ['endless'],
    ]);
  });

  it('is not, where one round has a loop that goes on for ever', () => {
    const source = 'while True:\n    rows = []\n    while True:\n        rows.append(read())';
    expect(asked(source)).toEqual([false, ['endless']]);
  });

  it('is not, where it is bound before the loop, or nothing is added to it', () => {
    expect(asked('rows = []\nwhile True:\n    rows.append(read())')).toEqual([false, ['endless']]);
    expect(asked('rows = []\nfor each in source():\n    rows.append(each)')).toEqual([false, ['finite']]);
    expect(asked('while True:\n    rows = []')).toEqual([false, []]);
  });

  it('is made anew in a function of its own only where that has the loop', () => {
    const source =
      'def fill():\n    rows = []\n    while True:\n        rows.append(1)\nfor each in range(3):\n    fill()';
    expect(asked(source)[0]).toBe(false);
  });
});
