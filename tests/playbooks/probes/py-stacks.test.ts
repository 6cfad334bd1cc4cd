import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { PythonStack } from '../../../playbooks/model/index.ts';
import { type PyStacksData, pyStacks } from '../../../playbooks/probes/py-stacks.ts';
import { fixtureNames, parseFixture } from '../../support/fixture.ts';
import { endProcesses, type LiveProcess, startProcess } from '../../support/live-process.ts';
import { type RunProbeOptions, runProbe } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

const TARGETS = path.join(import.meta.dirname, 'py-stacks-targets');
/** The system's interpreter always, others where they are installed. */
const interpreters = [
  '/usr/bin/python3',
  ...['2.7.18', '3.6.15', '3.7.16', '3.8.18', '3.9.18', '3.10.13', '3.11.7', '3.12.1', '3.13.0'].map(
    (version) => `${process.env.HOME ?? '/root'}/.pyenv/versions/${version}/bin/python`,
  ),
].filter((file) => existsSync(file));
const versionOf = (python: string): string => /versions\/(\d+\.\d+)/.exec(python)?.[1] ?? 'system';

afterEach(endProcesses);

/** Starts a target and waits until it says that its symptom stands. */
const start = async (program: string, python = '/usr/bin/python3', args: string[] = []): Promise<LiveProcess> => {
  const live = await startProcess(python, ['-u', path.join(TARGETS, program), ...args]);
  await live.line(/^standing/);
  return live;
};

/** Looks at a process; holds that it could be read and goes on as before. */
const look = async (pid: number, run: Partial<RunProbeOptions> = {}): Promise<PyStacksData> => {
  const before = await processState(pid);
  const { parsed, evidence } = await runProbe(pyStacks, { pid, windowSeconds: 0.5, ...run });
  await expectUnhurt(pid, before);
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.why} ${Buffer.from(evidence.stderr)}`);
  return pyStacks.data.parse(parsed.data);
};

/** The function's own name, as versions before 3.11 know it. */
const plain = (name: string): string => name.split('.').at(-1) ?? '';

/** The functions of the frames, innermost first, in the target's own file. */
const own = (stack: PythonStack | undefined): string[] =>
  (stack?.frames ?? [])
    .filter((frame) => frame.file.includes('py-stacks-targets'))
    .map((frame) => plain(frame.function));

describe('signal handlers', () => {
  const signals = (stack: PythonStack | undefined) =>
    stack?.frames.filter((frame) => frame.signal !== null).map((frame) => [plain(frame.function), frame.signal]);

  // To 3.7 a handler is not interrupted by another signal's.
  it.each(interpreters.filter((python) => !/2\.7|3\.[67]/.test(versionOf(python))))(
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

  it.each(interpreters)('are found where their arguments live in cells: %s', async (python) => {
    const live = await start('handler.py', python, ['15']);
    const [stack] = (await look(live.pid)).threads[0]?.stacks ?? [];
    expect(own(stack)).toEqual(['looks_like_one', 'finish', 'on_terminate', 'work', '<module>']);
    expect(signals(stack)).toEqual([['on_terminate', 15]]);
  });
});

describe('locks', () => {
  it.each(interpreters)('that are held by `with` and those that are waited for: %s', async (python) => {
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
    expect(types('after_with')).toEqual([]);
    expect(waits('after_with')).toBeNull();
    expect(types('spins_inside')).toEqual(['Managed']);
    expect(waits('spins_inside')).toBeNull();
    expect(thread('spins_inside').gil).toBeGreaterThan(thread('spins_inside').samples / 2);
  });
});

describe('recorded runs', () => {
  it.each(fixtureNames('py-stacks'))('%s', async (name) => {
    const expected = path.join(import.meta.dirname, '../../fixtures/py-stacks', name, 'expected.json');
    await expect(`${JSON.stringify(parseFixture(pyStacks, name), null, 2)}\n`).toMatchFileSnapshot(expected);
  });
});
