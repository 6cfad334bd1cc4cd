import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Motion } from '../../../playbooks/probes/py-stacks.motion.ts';
import { pyStacks } from '../../../playbooks/probes/py-stacks.ts';
import { courseOf } from '../../../playbooks/reading/motion.ts';
import { everyInterpreter, sayWhatIsMissing } from '../../support/every-interpreter.ts';
import { endProcesses, startProcess, startPython } from '../../support/live-process.ts';
import { versionOf } from '../../support/py-stacks.ts';
import { runProbe } from '../../support/run-probe.ts';

afterEach(endProcesses);
sayWhatIsMissing();

/** Everything in it is known: what stays, what comes back, what counts, what goes onward. */
const PROGRAM = `
import sys

class Box(object):
    def __init__(self):
        self.rounds = 0
        self.limit = 10 ** 9
        self.flag = False

def spin(items, box):
    total = 10 ** 30
    while not box.flag:
        box.rounds += 1
        for index, item in enumerate(items):
            if item > 1000:
                return item
    return total

def work(numbers, box):
    found = []
    for number in numbers:
        if number % 100000 == 0:
            found.append(number)
    return found

def main():
    box = Box()
    if sys.argv[1] == 'spin':
        spin(list(range(40)), box)
    else:
        work(iter(range(10 ** 12)) if sys.version_info > (3,) else iter(xrange(10 ** 12)), box)

sys.stdout.write('ready\\n')
sys.stdout.flush()
main()
`;

const watch = async (python: string, what: string): Promise<Motion> => {
  const live = await startPython(PROGRAM, [what], { python });
  const { parsed } = await runProbe(pyStacks, { pid: live.pid, windowSeconds: 2 });
  if (!parsed.ok) throw new Error(parsed.why);
  const motion = pyStacks.data.parse(parsed.data).threads.find((thread) => thread.tid === live.pid)?.motion;
  if (motion === null || motion === undefined) throw new Error('the thread was not seen to run');
  return motion;
};

const frameOf = (motion: Motion, name: string) => {
  const found = motion.frames.find((frame) => frame.function === name);
  if (found === undefined)
    throw new Error(`no frame ${name} among ${motion.frames.map((each) => each.function).join(', ')}`);
  return found;
};

describe.each(everyInterpreter)('%s', (python) => {
  it('shows that a loop goes round: what stays, what comes back, what counts', async () => {
    const motion = await watch(python, 'spin');
    const frame = frameOf(motion, 'spin');
    const course = (name: string) => {
      const moving = frame.moving.find((each) => each.name === name);
      return moving === undefined ? null : courseOf(moving);
    };
    expect(frame.still).toEqual(expect.arrayContaining(['items', 'len(items)', 'box', 'box.flag', 'total']));
    // Before Python 3 each new number is put where the one before last was: read while the program runs on, most of them
    // are thrown away as torn. Then there are few looks at it, and never a wrong one.
    expect(versionOf(python) === '2.7' ? ['counts', 'few', null] : ['counts']).toContain(course('box.rounds'));
    expect(course('index')).toBe('returns');
    expect(course('item')).toBe('returns');
    expect(course('@iterator0')).toBe('returns');
    expect(motion.complete).toBe(true);
  });

  it('shows that work gets on: an iterator and a size that go onward', async () => {
    const frame = frameOf(await watch(python, 'work'), 'work');
    const iterator = frame.moving.find((each) => each.name === '@iterator0');
    expect(iterator === undefined ? null : courseOf(iterator)).toBe('onward');
    const number = frame.moving.find((each) => each.name === 'number');
    // A number may be read while its place is lent to another one for a moment: such looks do not fit into its course.
    expect(number?.rising ?? 0).toBeGreaterThan((number?.looks ?? 0) * 0.5);
    expect(number?.rising ?? 0).toBeGreaterThan((number?.falling ?? 0) * 2);
  });

  it('shows the source of a loop that stands far outside of where a library spends the time', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'straceback-deep-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    mkdirSync(path.join(folder, 'site-packages'));
    const calls = Array.from({ length: 12 }, (_, depth) => `def step${depth}():\n    return step${depth + 1}()\n`);
    const inmost = 'def step12():\n    return sum(i % 7 for i in range(20000))\n';
    writeFileSync(path.join(folder, 'site-packages', 'steps.py'), calls.join('') + inmost);
    const program = path.join(folder, 'retry.py');
    const loop = 'def retry():\n    while True:\n        steps.step0()\n';
    const ready = "sys.stdout.write('ready\\n')\nsys.stdout.flush()\n";
    const head = `import sys\nsys.path.insert(0, ${JSON.stringify(path.join(folder, 'site-packages'))})\nimport steps\n`;
    writeFileSync(program, `${head}${loop}${ready}retry()\n`);
    const live = await startProcess(python, ['-B', program]);
    await live.line(/^ready$/);
    const { parsed } = await runProbe(pyStacks, { pid: live.pid, windowSeconds: 2 });
    if (!parsed.ok) throw new Error(parsed.why);
    const shown = pyStacks.data.parse(parsed.data).source.map(({ text }) => text.trim());
    expect(shown).toContain('while True:');
  });
});
