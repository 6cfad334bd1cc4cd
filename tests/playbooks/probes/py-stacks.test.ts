import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { PythonStack } from '../../../playbooks/model/index.ts';
import { pyStacks } from '../../../playbooks/probes/py-stacks.ts';
import { everyInterpreter, sayWhatIsMissing } from '../../support/every-interpreter.ts';
import { fixtureNames, parseFixture } from '../../support/fixture.ts';
import { endProcesses } from '../../support/live-process.ts';
import { look, own, plain, start, versionOf } from '../../support/py-stacks.ts';
import { runProbe, stepFor } from '../../support/run-probe.ts';

afterEach(endProcesses);
sayWhatIsMissing();

describe('the command', () => {
  it('is a Python of the host with the script, the process, its start time, the window and the rate', () => {
    const step = stepFor(pyStacks, {
      pid: 4242,
      startTime: '99',
      windowSeconds: 2.5,
      known: { python: '/opt/python3' },
    });
    const { argv, scripts } = pyStacks.command(step);
    expect(argv).toEqual(['/opt/python3', '-I', '-S', '-B', '{script:py-stacks.py}', '4242', '99', '2.5', '20']);
    expect(scripts?.[0]).toBe('py-stacks.py');
    expect(pyStacks.command({ ...step, options: pyStacks.options.parse({ hz: 50 }) }).argv.at(-1)).toBe('50');
    expect(pyStacks.options.safeParse({ hz: 0 }).success).toBe(false);
  });
});

describe('signal handlers', () => {
  const signals = (stack: PythonStack | undefined) =>
    stack?.frames.filter((frame) => frame.signal !== null).map((frame) => [plain(frame.function), frame.signal]);

  // To 3.7 a handler is not interrupted by another signal's.
  it.each(everyInterpreter.filter((python) => !/2\.7|3\.[67]/.test(versionOf(python))))(
    'are told from functions that are called alike: %s',
    async (python) => {
      const live = await start('handler.py', python, ['1']);
      const [stack] = (await look(live.pid)).threads[0]?.stacks ?? [];
      expect(own(stack)).toEqual([
        'looks_like_one',
        'finish',
        'on_terminate',
        'work',
        'on_second_user',
        '<lambda>',
        'work',
        'on_first_user',
        'work',
        'on_hangup',
        'work',
        '<module>',
      ]);
      expect(signals(stack)).toEqual([
        ['on_terminate', 15],
        ['<lambda>', 12],
        ['on_first_user', 10],
        ['on_hangup', 1],
      ]);
    },
  );

  it.each(everyInterpreter)('are found where their arguments live in cells: %s', async (python) => {
    const live = await start('handler.py', python, ['15']);
    const [stack] = (await look(live.pid)).threads[0]?.stacks ?? [];
    expect(own(stack)).toEqual(['looks_like_one', 'finish', 'on_terminate', 'work', '<module>']);
    expect(signals(stack)).toEqual([['on_terminate', 15]]);
  });
});

describe('locks', () => {
  it.each(everyInterpreter)('that are held by `with` and those that are waited for: %s', async (python) => {
    const live = await start('locks.py', python);
    const data = await look(live.pid);
    const thread = (name: string) => {
      const found = data.threads.find((one) => one.name === name);
      if (!found) throw new Error(`no thread ${name} in ${data.threads.map((one) => one.name)}`);
      return found;
    };
    /** Types and addresses of what the frame of the thread's own function is inside of. */
    const holds = (name: string) =>
      thread(name).stacks[0]?.frames.find((frame) => plain(frame.function) === name)?.holds ?? [];
    const types = (name: string) => holds(name).map(({ type }) => type.replace(/^_?thread\.|^_(?=[A-Z])/, ''));
    const waits = (name: string) => thread(name).waitsFor;

    expect(types('takes_first_then_second')).toEqual(['lock', 'Managed']);
    expect(types('takes_second_then_first')).toEqual(['lock']);
    expect(waits('takes_first_then_second')?.address).toBe(holds('takes_second_then_first')[0]?.address);
    expect(waits('takes_second_then_first')?.address).toBe(holds('takes_first_then_second')[0]?.address);
    expect(types('keeps_recursive')).toEqual(['RLock', 'RLock']);
    expect(waits('keeps_recursive')).toBeNull();
    expect(waits('wants_recursive')).toMatchObject({
      address: holds('keeps_recursive')[0]?.address,
      ownerTid: thread('keeps_recursive').tid,
    });
    // Who waits in a condition has let go of its lock; who is in its `with` block otherwise holds it.
    expect(types('in_condition')).toEqual(['Condition']);
    expect(types('with_condition')).toEqual(['Condition', 'RLock']);
    expect(holds('with_condition')[0]).toEqual(holds('in_condition')[0]);
    expect(waits('wants_condition')).toMatchObject({
      address: holds('with_condition')[1]?.address,
      ownerTid: thread('with_condition').tid,
    });
    // The lock is held by the generator that is the context manager.
    expect(types('guards')).toEqual([expect.stringContaining('GeneratorContextManager'), 'lock']);
    expect(waits('wants_guarded')?.address).toBe(holds('guards')[1]?.address);
    expect(types('after_with')).toEqual([]);
    expect(waits('after_with')).toBeNull();
    expect(types('spins_inside')).toEqual(['Managed']);
    expect(waits('spins_inside')).toBeNull();
    expect(thread('spins_inside').gil).toBeGreaterThan(thread('spins_inside').samples / 2);
  });
});

describe('stacks of every shape', () => {
  const strangeFile = '/srv/my app/a "b"\\c\n(def at 3)\t';
  const strangeName = 'a b\n  stack 1 of 1:7  [signal handler 9]\u001b中';

  it.each(everyInterpreter)('are read whole, with the names as they are: %s', async (python) => {
    const live = await start('shapes.py', python);
    const { parsed } = await runProbe(pyStacks, { pid: live.pid, windowSeconds: 0.5 });
    if (!parsed.ok) throw new Error(parsed.why);
    const version = versionOf(python);
    const stack = (name: string) => {
      const thread = parsed.data.threads.find((one) => one.name === name);
      expect(thread?.stacks, name).toHaveLength(1);
      expect(thread?.unread, name).toBe(0);
      return thread?.stacks[0]?.frames ?? [];
    };
    /** The functions inside of `name`, innermost first, without what the library puts in between. */
    const names = (name: string) => {
      const frames = stack(name).filter((frame) => !/\/(threading|re|asyncio|events)\b|lib\/python/.test(frame.file));
      expect(frames.at(-1)?.function, name).toBe(name);
      return frames.slice(0, -1).map((frame) => plain(frame.function));
    };
    expect(names('by_generator')).toEqual(['stand', 'inner', 'outer']);
    expect(names('by_sort_key')).toEqual(['stand', '<lambda>']);
    expect(names('by_regular_expression')).toEqual(['stand', 'replaced']);
    expect(names('by_ctypes').slice(0, 1)).toEqual(['stand']);
    expect(names('by_initialiser')).toEqual(['stand', '__getattr__', '__init__']);
    expect(names('by_class_body')).toEqual(['stand', 'Body']);
    // A list comprehension is a function of its own from 3.0 to 3.11.
    expect(names('by_comprehension').slice(0, 2)).toEqual(
      /^(2|3\.1[2-9])/.test(version) || (version === 'system' && names('by_comprehension').length === 1)
        ? ['stand']
        : ['stand', '<listcomp>'],
    );
    expect(names('by_closing')).toEqual(['stand', '__del__']);
    expect(names('by_long_lines')).toEqual(['stand', 'late']);
    const [, , call] = stack('by_long_lines');
    expect(call?.line).toSatisfy((line: number) => line >= 323 && line <= 326);

    const recursion = stack('by_recursion');
    expect(recursion.slice(0, 250).map((frame) => frame.function)).toEqual(['stand', ...Array(249).fill('recursive')]);
    expect(recursion.some((frame) => frame.function === 'by_recursion')).toBe(true);
    const deepest = stack('by_deepest_recursion').map((frame) => frame.function);
    expect(new Set(deepest)).toEqual(new Set(['stand', 'recursive']));
    expect(parsed.partly?.filter((sentence) => sentence.includes('so deep'))).toHaveLength(2);

    const strange = stack('by_strange_file').filter((frame) => frame.file.startsWith('/srv'));
    expect(strange.map((frame) => [frame.function, frame.line, frame.firstLine])).toEqual([
      [version === '2.7' ? 'cafe' : 'café', 2, 1],
      ['<module>', 3, 1],
    ]);
    expect(strange[0]?.file).toBe(version === '2.7' ? `${strangeFile}.py` : `${strangeFile}中😀\udc80\u202e.py`);
    const named = /^(2|3\.[67])/.test(version) ? 'stand_too' : strangeName;
    expect(stack('by_strange_name')[1]?.function).toBe(named);
    if (version !== '2.7') {
      expect(names('by_coroutine')).toEqual(['stand', 'leaf', 'branch']);
    }
  });
});

describe('recorded runs', () => {
  it.each(fixtureNames('py-stacks'))('%s', async (name) => {
    const expected = path.join(import.meta.dirname, '../../fixtures/py-stacks', name, 'expected.json');
    await expect(`${JSON.stringify(parseFixture(pyStacks, name), null, 2)}\n`).toMatchFileSnapshot(expected);
  });
});
