import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { redactor } from '../../../infra/redact/redactor.ts';
import { type PyLocalsData, pyLocals } from '../../../playbooks/probes/py-locals.ts';
import { fixtureNames, loadFixture, parseFixture } from '../../support/fixture.ts';
import { endProcesses, startProcess } from '../../support/live-process.ts';
import { expectNeverThrows } from '../../support/parser-safety.ts';
import { interpreters, versionOf, watchStates } from '../../support/py-stacks.ts';
import { runProbe } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

/** What other probes saw in a look with this one alone. */
const nothingElse = () => ({ seen: false, reason: 'not-run', why: 'it was no part of this look' }) as const;

afterEach(endProcesses);

const start = async (python = '/usr/bin/python3', args: readonly string[] = []) => {
  const program = path.join(import.meta.dirname, 'py-locals-targets/order_desk.py');
  const live = await startProcess(python, [program, ...args]);
  await live.line(/^standing/);
  return live;
};

/** Looks at a process, and holds that it is never stopped or traced meanwhile. */
const look = async (pid: number, thread?: string) => {
  const before = await processState(pid);
  const states = watchStates(pid);
  const run = await runProbe(pyLocals, { pid, options: thread === undefined ? {} : { thread } });
  expect(await states.end()).toEqual([]);
  await expectUnhurt(pid, before);
  return run;
};

const dataOf = ({ parsed, evidence }: Awaited<ReturnType<typeof look>>): PyLocalsData => {
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.why} ${Buffer.from(evidence.stderr)}`);
  return pyLocals.data.parse(parsed.data);
};

/** The variables of the frame of a function, by name, in one thread. */
const variablesOf = (data: PyLocalsData, thread: string, name: string): Record<string, string> => {
  const frames = data.threads.find((each) => each.name === thread)?.frames ?? [];
  const frame = frames.find((each) => each.function.split('.').at(-1) === name);
  return Object.fromEntries((frame?.variables ?? []).map((each) => [each.name, each.text]));
};

describe.each(interpreters.map((python) => [versionOf(python), python]))('Python %s', (version, python) => {
  it('variables of every kind are read while the process runs on', async () => {
    const { pid } = await start(python);
    const run = await look(pid, 'desk-b');
    const data = dataOf(run);
    expect(data.threads).toHaveLength(1);
    expect(data.threads[0]).toMatchObject({ name: 'desk-b', gil: false, moving: false });
    expect(data.found).toBe(4);
    const old = version === '2.7';
    expect(variablesOf(data, 'desk-b', 'hand_over')).toMatchObject({
      label: '"order 1 of bob"',
      number: '1',
      account: expect.stringMatching(/^Account at 0x[0-9a-f]+ \{.*owner="bob"/),
    });
    expect(variablesOf(data, 'desk-b', 'process_order')).toMatchObject({
      number: '1',
      customer: '"bob"',
      ratio: '0.5',
      huge: '1180591620717411303424',
      negative: '-5',
      nothing: 'None',
      flag: 'True',
      body: `"${'x'.repeat(200)}"... (5000 characters)`,
      rows: 'list of 20: [0, 1, 2, 3, 4, 5, 6, 7, ...]',
      pair: 'tuple of 3: (1, "a", list of 2: [1, 2])',
      empty: 'list of 0',
      seen: 'set of 2',
      failure: expect.stringMatching(/^(?:exceptions\.)?ValueError\("bad order", 1\)$/),
      kind: 'class Account',
      parcels: 'Parcels: list of 2: [1, 2]',
      place: 'Place: tuple of 2: ("North", 7)',
      slim: expect.stringMatching(/^Slim at 0x[0-9a-f]+ \{left=1, right="two"\}$/),
      hostile: expect.stringMatching(/^Odd\\nthread 1 \\"fake\\" at 0x/),
      settings: expect.stringMatching(/^dict of 3: \{.*"retries": 3.*\}$/),
      ...(old
        ? {}
        : {
            quantity: 'Quantity: 12',
            labels: 'Labels: dict of 1: {"colour": "red"}',
            note: '"café\\n\\"quoted\\" \\\\ back"',
            raw: 'b"\\x00abc\\xff"',
            ordered: expect.stringMatching(/OrderedDict of 1: \{"first": 1\}$/),
            waiting: 'collections.deque of 1',
          }),
    });
    // Its own `self` is told once, and not again inside of itself.
    expect(variablesOf(data, 'desk-b', 'process_order').account).toMatch(/^Account at 0x[0-9a-f]+ \(above\)$/);
    // What the redactor does to each line that leaves the worker.
    const shown = run.evidence.stdout.toString().split('\n').map(redactor().text).join('\n');
    expect(Buffer.from(run.evidence.stdout).toString()).toContain('hunter2');
    expect(shown).not.toContain('hunter2');
    expect(shown).not.toContain('tok-7f3d9a2b');
    expect(variablesOf(data, 'desk-b', 'process_order').logins).toMatch(/"\.\.\. \(cut\)$/);
    expect(shown).not.toContain('swordf');
  });
});

describe('threads', () => {
  it('all of them are told, with names that cannot forge a line, and the module’s own variables', async () => {
    const { pid } = await start();
    const data = dataOf(await look(pid));
    expect(data.threads.map(({ name }) => name).sort()).toEqual(['MainThread', 'desk-a', 'desk-b', 'odd\n"name"']);
    expect(variablesOf(data, 'MainThread', '<module>')).toMatchObject({ limit: '40', index: '2' });
    expect(variablesOf(data, 'MainThread', '<module>')).not.toHaveProperty('Account');
    expect(variablesOf(data, 'desk-a', 'hand_over')).toMatchObject({ number: '0' });
  });

  it('one is found by its id, by its name in any case, and by a part of it', async () => {
    const { pid } = await start();
    expect(dataOf(await look(pid, String(pid))).threads.map(({ name }) => name)).toEqual(['MainThread']);
    expect(dataOf(await look(pid, 'DESK-A')).threads.map(({ name }) => name)).toEqual(['desk-a']);
    expect(dataOf(await look(pid, 'desk')).threads.map(({ name }) => name)).toEqual(['desk-a', 'desk-b']);
  });

  it('one that does not exist is answered with those that do', async () => {
    const { pid } = await start();
    const { parsed } = await look(pid, '; rm -rf $(pwd)');
    expect(parsed).toMatchObject({ ok: false, reason: 'failed' });
    expect(parsed.ok ? '' : parsed.why).toMatch(/^the process has no such thread; it has \d+ "MainThread", /);
  });

  it('one that spins is read too, each number from one moment', async () => {
    const { pid } = await start('/usr/bin/python3', ['spin']);
    const data = dataOf(await look(pid, 'spinner'));
    expect(data.threads).toHaveLength(1);
    expect(variablesOf(data, 'spinner', 'spin').rounds).toMatch(/^\d+$/);
  });
});

it('a process that is none of Python’s, or has gone, is answered with the reason', async () => {
  const live = await startProcess('/bin/sh', ['-c', 'echo standing; read _; :']);
  await live.line(/^standing/);
  const { parsed } = await look(live.pid);
  expect(parsed).toMatchObject({ ok: false, reason: 'not-applicable' });
  const gone = await runProbe(pyLocals, { pid: process.pid, startTime: '1' });
  expect(gone.parsed).toMatchObject({ ok: false, reason: 'target-gone' });
});

describe('recorded outputs', () => {
  it('are read', () => {
    expect(parseFixture(pyLocals, '3.11-service')).toMatchObject({ ok: true, partly: [] });
    expect(parseFixture(pyLocals, 'none')).toMatchObject({ ok: false, reason: 'failed' });
    const service = parseFixture(pyLocals, '3.11-service');
    const lines = service.ok ? (pyLocals.preview?.(service.data, nothingElse) ?? []) : [];
    const at = lines.findIndex((line) => /^thread \d+ desk-b: in Condition\.wait \(.*threading\.py:\d+\)$/.test(line));
    expect(lines[at + 1]).toMatch(/^ {2}process_order\.<locals>\.hand_over {2}\/srv\/shop\/order_desk\.py:\d+$/);
    expect(lines.slice(at)).toContain('    customer = "bob"');
    expect(lines.some((line) => line.includes('_bootstrap'))).toBe(false);
    const cut = parseFixture(pyLocals, 'cut');
    expect(cut).toMatchObject({ ok: true });
    expect(cut.ok && cut.partly?.join()).toMatch(/3 threads were left out.*was broken off/s);
  });

  it('damaged ones, and any bytes, never make the parser throw', () => {
    expectNeverThrows(
      pyLocals,
      fixtureNames('py-locals').map((name) => Buffer.from(loadFixture('py-locals', name).evidence.stdout)),
    );
  });
});
