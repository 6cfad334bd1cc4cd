import { mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { pyStacks } from '../../../playbooks/probes/py-stacks.ts';
import type { TurnGroup } from '../../../playbooks/probes/py-stacks.turns.ts';
import { everyInterpreter, inDebianRoots, sayWhatIsMissing } from '../../support/every-interpreter.ts';
import { endProcesses } from '../../support/live-process.ts';
import { look, openFiles, own, plain, start, versionOf } from '../../support/py-stacks.ts';
import { hasModule } from '../../support/python-modules.ts';
import { runProbe } from '../../support/run-probe.ts';

afterEach(endProcesses);

const old = (python: string) => /^(2\.7|3\.[0-6])$/.test(versionOf(python));

sayWhatIsMissing();

describe('asyncio tasks', () => {
  it.each(everyInterpreter.filter((python) => !old(python)))('are found, with what they await: %s', async (python) => {
    const live = await start('tasks.py', python);
    const { tasks } = await look(live.pid, { windowSeconds: 1 });
    expect(tasks).toMatchObject({ found: 10, read: 10, complete: true, others: 0 });
    const groups = new Map(tasks?.groups.map((group) => [own(group.stack).join(' '), group]));
    const shape = ({ count, still, state, tid, awaits }: TurnGroup) => ({ count, still, state, tid, awaits });
    const waiting = (count: number, awaits: string) => ({
      count,
      still: count,
      state: 'waiting',
      tid: live.pid,
      awaits,
    });
    expect(Object.fromEntries([...groups].map(([key, group]) => [key, shape(group)]))).toEqual({
      'read_reply ask': waiting(3, '_asyncio.Future'),
      gathers: waiting(1, '_GatheringFuture'),
      'produces consumes': waiting(1, '_asyncio.Future'),
      takes: waiting(2, '_asyncio.Future'),
      joins: waiting(1, '_asyncio.Task'),
      '__await__ awaits_own': waiting(1, '_asyncio.Future'),
      main: waiting(1, '_asyncio.Future'),
    });
    const sockets = groups.get('read_reply ask')?.sockets ?? [];
    expect(sockets).toHaveLength(3);
    for (const socket of sockets) expect(readlinkSync(`/proc/${live.pid}/fd/${socket}`)).toMatch(/^socket:/);
    expect(groups.get('takes')?.sockets).toEqual([]);
    if (versionOf(python) !== '3.7') expect(groups.get('main')?.names).toEqual(['Task-1']);
  });

  it.skipIf(!hasModule('uvloop'))(
    "are found under uvloop too, whose own sockets and timers are not Python's",
    async () => {
      const live = await start('tasks.py', '/usr/bin/python3', ['uvloop']);
      const { tasks } = await look(live.pid, { windowSeconds: 1 });
      expect(tasks).toMatchObject({ found: 10, read: 10, complete: true });
      const asks = tasks?.groups.find((group) => own(group.stack).includes('ask'));
      expect(asks).toMatchObject({ count: 3, still: 3, state: 'waiting', tid: null, sockets: [] });
      // Who cannot see the loop's timers may not say that there is none.
      for (const group of tasks?.groups ?? []) expect(group.limitSeconds).toBeUndefined();
    },
  );

  it.each(everyInterpreter.filter((python) => !old(python)))(
    'are told from those that a timer ends, also by way of others: %s',
    async (python) => {
      const live = await start('limits.py', python);
      const { tasks } = await look(live.pid, { windowSeconds: 0.5 });
      const groups = tasks?.groups ?? [];
      const limits = (name: string) =>
        groups.filter((group) => own(group.stack).includes(name)).map((group) => group.limitSeconds);
      expect(limits('unlimited')).toEqual([null]);
      for (const [name, most] of [
        ['limited', 500],
        ['gathered', 400],
        ['cancelled_later', 300],
      ] as const) {
        const [limit] = limits(name);
        expect(limit, name).toBeGreaterThan(most - 100);
        expect(limit, name).toBeLessThanOrEqual(most);
      }
      // Of six coroutines that wait for nothing only one may do so for ever.
      const waits = groups.filter((group) => own(group.stack)[0] === 'silent');
      const forEver = waits.filter((group) => group.limitSeconds === null).reduce((sum, group) => sum + group.count, 0);
      expect(forEver).toBe(1);
    },
  );

  it.each(everyInterpreter.filter((python) => versionOf(python) === '3.6'))(
    'are said not to be seen where they cannot: %s',
    async (python) => {
      const live = await start('tasks.py', python);
      const { parsed } = await runProbe(pyStacks, { pid: live.pid, windowSeconds: 0.5 });
      expect(parsed).toMatchObject({
        ok: true,
        partly: [expect.stringMatching(/tasks .* cannot be told for Python 3\.6/)],
      });
    },
  );

  it.each(everyInterpreter.filter((python) => !old(python)))(
    'that never rest are never seen where they were not: %s',
    async (python) => {
      const folder = mkdtempSync(path.join(tmpdir(), 'straceback-turning-'));
      try {
        const file = path.join(folder, 'legal');
        const live = await start('turning.py', python, [file]);
        const legal = new Set(readFileSync(file, 'utf8').split('\n'));
        expect(legal.size).toBeGreaterThan(8);
        const seen = new Set<string>();
        // On a machine that is busy a look may meet none of them at rest: then there are more looks.
        for (let round = 0; round < 4 || (seen.size === 0 && round < 40); round += 1) {
          const { tasks } = await look(live.pid, { windowSeconds: 0.3 });
          expect(tasks?.found).toBe(51);
          for (const { state, stack } of tasks?.groups ?? []) {
            const frames = stack.frames.filter((frame) => frame.file.endsWith('turning.py'));
            const chain = frames.map((frame) => `${plain(frame.function)}:${frame.line}`);
            if (chain.at(-1)?.startsWith('worker:') && state !== 'created')
              seen.add(chain.filter((word) => !word.startsWith('__await__:')).join(' '));
          }
        }
        expect([...seen].filter((chain) => !legal.has(chain))).toEqual([]);
        expect(seen.size).toBeGreaterThan(0);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );

  it('of a process that ends in the middle do not take away what was seen until then', async () => {
    const live = await start('tasks.py', '/usr/bin/python3');
    const { parsed } = await runProbe(pyStacks, {
      pid: live.pid,
      windowSeconds: 20,
      onStart: async (reader) => {
        // Its page map or memory is open once the reader looks at it.
        while (!openFiles(reader.pid ?? 0).includes(`/proc/${live.pid}/mem`))
          await new Promise((resolve) => setTimeout(resolve, 2));
        live.child.kill('SIGKILL');
      },
    });
    if (parsed.ok) expect(parsed.partly?.join(' ')).toMatch(/ended|no process/);
    else expect(parsed.reason).toBe('target-gone');
  });
});

describe('greenlets', () => {
  const withGreenlet = [
    ...(hasModule('greenlet') ? ['/usr/bin/python3'] : []),
    ...inDebianRoots.filter((python) => !old(python)),
  ];
  it.each(withGreenlet)('that do not run are found, with their stacks: %s', async (python) => {
    const live = await start('greenlets.py', python);
    const { greenlets, threads } = await look(live.pid, { windowSeconds: 1 });
    expect(greenlets).toMatchObject({ found: 6, read: 6, complete: true });
    expect(
      greenlets?.groups.map(({ count, still, type, state, tid, stack }) => [
        count,
        still,
        type,
        state,
        tid,
        own(stack),
      ]),
    ).toEqual([
      [3, 3, 'greenlet.greenlet', 'waiting', live.pid, Array(6).fill('inner')],
      [2, 2, 'Own', 'waiting', live.pid, ['inner', 'inner', 'inner', '<lambda>', 'through_c']],
      [1, 1, 'greenlet.greenlet', 'waiting', live.pid, ['calls', '<module>']],
    ]);
    expect(own(threads[0]?.stacks[0])).toEqual(['runs']);
  });

  it.each(['gevent', 'eventlet'].filter((library) => hasModule(library)))(
    'of %s that wait for an answer lead to their sockets',
    async (library) => {
      const live = await start('green_clients.py', '/usr/bin/python3', [library]);
      const { greenlets } = await look(live.pid, { windowSeconds: 1 });
      const clients = greenlets?.groups.find((group) => own(group.stack)[0] === 'read_answer');
      expect(clients).toMatchObject({ count: 20, still: 20, tid: live.pid });
      expect(new Set(clients?.sockets).size).toBe(20);
      for (const socket of clients?.sockets ?? [])
        expect(readlinkSync(`/proc/${live.pid}/fd/${socket}`)).toMatch(/^socket:/);
      const limits = ['by_socket', 'by_block', 'read_answer'].map(
        (name) => greenlets?.groups.find((group) => own(group.stack)[0] === name)?.limitSeconds,
      );
      expect(limits).toEqual([400, 500, undefined]);
      const server = greenlets?.groups.find((group) => own(group.stack)[0] === 'serve');
      expect(server?.sockets).toHaveLength(1);
    },
  );
});
