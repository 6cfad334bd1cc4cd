import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { pyStacks } from '../../../playbooks/probes/py-stacks.ts';
import { inRoot } from '../../support/debian-roots.ts';
import { debianPythons, everyInterpreter, sayWhatIsMissing } from '../../support/every-interpreter.ts';
import { endProcesses, startProcess, startPython } from '../../support/live-process.ts';
import { interpreters, look, openFiles, own, plain, start, TARGETS, versionOf } from '../../support/py-stacks.ts';
import { type RunProbeOptions, runProbe, startTimeOf } from '../../support/run-probe.ts';

afterEach(endProcesses);
sayWhatIsMissing();

describe('what cannot be read', () => {
  const why = async (pid: number, run: Partial<RunProbeOptions> = {}) => {
    const { parsed } = await runProbe(pyStacks, { pid, windowSeconds: 0.3, ...run });
    return parsed.ok
      ? { ok: true, partly: parsed.partly ?? [] }
      : { ok: false, reason: parsed.reason, why: parsed.why };
  };

  it('is said to be no Python, whatever it is called', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'straceback-fake-'));
    try {
      const fake = path.join(folder, 'python3.11');
      copyFileSync('/bin/sleep', fake);
      for (const program of ['/bin/sleep', fake]) {
        const live = await startProcess(program, ['1000']);
        expect(await why(live.pid), program).toMatchObject({ reason: 'not-applicable' });
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('is said to need permission', async () => {
    const live = await start('leaving.py');
    expect(await why(live.pid, { uid: 65534 })).toMatchObject({
      reason: 'no-permission',
      why: expect.stringMatching(/not permitted.*sudo/),
    });
  });

  it('is gone, or is another process by now', async () => {
    const live = await start('leaving.py');
    expect(await why(live.pid, { startTime: '7' })).toMatchObject({ reason: 'target-gone' });
    live.say('exit');
    await once(live.child, 'exit');
    expect(await why(live.pid, { startTime: '7' })).toMatchObject({ reason: 'target-gone' });
  });

  it.each([
    ['exit', /ended|no process/],
    ['exec', /replaced its program/],
  ])('goes away in the middle (%s): what was seen until then is kept, and it is said', async (way, sentence) => {
    const live = await start('leaving.py');
    const seen = await why(live.pid, {
      windowSeconds: 20,
      onStart: async (reader) => {
        // Its memory is open once the reader has found it.
        const memory = `/proc/${live.pid}/mem`;
        while (!openFiles(reader.pid ?? 0).includes(memory)) await new Promise((resolve) => setTimeout(resolve, 2));
        live.say(way);
      },
    });
    expect(seen.partly?.join(' ') ?? seen.why).toMatch(sentence);
    if (!seen.partly) expect(seen.reason).toBe('target-gone');
  });

  const damaged = everyInterpreter.filter((python) => !/2\.7|3\.6/.test(versionOf(python)));
  it.each(damaged)('is damaged: nothing is invented, and it ends: %s', async (python) => {
    for (const way of ['circle', 'wild', 'name']) {
      const live = await start('corrupted.py', python, [way]);
      const data = await look(live.pid, { windowSeconds: 0.3 });
      const thread = data.threads.find((one) => one.name === 'damaged');
      expect(thread, way).toMatchObject({ stacks: [], unread: thread?.samples });
      expect(own(data.threads.find((one) => one.name === 'MainThread')?.stacks[0]), way).toEqual(['<module>']);
    }
    for (const way of ['threads', 'none']) {
      const live = await start('corrupted.py', python, [way]);
      expect(await why(live.pid), way).toMatchObject({ reason: 'not-parsable' });
    }
  });
});

describe('other hosts', () => {
  /** What the look says when the reader cannot go some of its ways. */
  const lookWithout = (ways: string, pid: number): string => {
    const script = path.join(import.meta.dirname, '../../../playbooks/probes/py-stacks.py');
    const { stdout, stderr } = spawnSync(
      '/usr/bin/python3',
      ['-I', '-S', '-B', path.join(TARGETS, 'without.py'), script, ways, String(pid), startTimeOf(pid), '0.2', '20'],
      { encoding: 'utf8' },
    );
    return stdout + stderr;
  };

  it.each(interpreters)('give the interpreter away in other ways too: %s', async (python) => {
    const live = await start('handler.py', python, ['15']);
    const handler = /^ {4}on_terminate .* \[signal handler 15 SIGTERM\]$/m;
    const old = /2\.7|3\.6/.test(versionOf(python));
    for (const ways of [
      'files',
      'vector',
      'refused',
      ...(old ? ['symbol-interp_head', 'files,symbol-interp_head'] : []),
    ]) {
      expect(lookWithout(ways, live.pid), ways).toMatch(handler);
    }
    const closed = lookWithout('symbol-_PyRuntime,section,symbol-_PyThreadState_Current', live.pid);
    if (/3\.13/.test(versionOf(python))) expect(closed).toMatch(handler);
    else expect(closed).toMatch(/^unreadable not-applicable .*lacks the symbols/);
    if (python === '/usr/bin/python3') expect(lookWithout('symbol-_PyRuntime', live.pid)).toMatch(handler);
  });

  it.each(interpreters.filter((python) => versionOf(python) !== '2.7'))(
    'run the reader under their own Python: %s',
    async (python) => {
      const live = await start('handler.py', '/usr/bin/python3', ['15']);
      const data = await look(live.pid, { known: { python } });
      expect(own(data.threads[0]?.stacks[0])).toEqual(['looks_like_one', 'finish', 'on_terminate', 'work', '<module>']);
    },
  );

  it('look as the user that the process belongs to', async () => {
    const source = 'import threading, time\ndef waits():\n  time.sleep(1000)\nprint("ready")\nwaits()';
    const live = await startPython(source, [], { uid: 65534, gid: 65534, cwd: '/' });
    const data = await look(live.pid, { uid: 65534 });
    expect(data.threads[0]?.stacks[0]?.frames.map((frame) => frame.function)).toEqual(['waits', '<module>']);
  });

  it('have replaced the executable since', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'straceback-replaced-'));
    try {
      const copy = path.join(folder, 'python3.11');
      copyFileSync('/usr/bin/python3', copy);
      const live = await startProcess(copy, ['-u', path.join(TARGETS, 'leaving.py')], {
        env: { ...process.env, PYTHONHOME: '/usr' },
      });
      await live.line(/^standing/);
      rmSync(copy);
      copyFileSync('/bin/sleep', copy);
      const data = await look(live.pid);
      expect(own(data.threads.find((thread) => thread.tid === live.pid)?.stacks[0])).toEqual(['<module>']);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('have the interpreter inside of another program', async () => {
    const source = 'import os\nimport time\ndef inside():\n  print("ready", flush=True)\n  time.sleep(1000)\ninside()';
    const live = await startProcess('gdb', ['-nx', '-batch', '-ex', `python ${source}`]);
    await live.line(/^ready/);
    const data = await look(live.pid);
    expect(data.threads.map((thread) => thread.stacks[0]?.frames.map((frame) => frame.function))).toEqual([
      ['inside', '<module>'],
    ]);
  });

  it.each(debianPythons)(
    'have it in a container of its own, with another root and other ids: $version',
    async ({ root, version }) => {
      const program = path.join(TARGETS, 'locks.py');
      const live = await startProcess('unshare', [...inRoot(root, true), `/usr/bin/python${version}`, '-u', program]);
      expect(await live.line(/^standing/)).toBe('standing 1');
      const [pid = 0] = readFileSync(`/proc/${live.pid}/task/${live.pid}/children`, 'latin1')
        .trim()
        .split(' ')
        .map(Number);
      const data = await look(pid);
      expect(data.version.startsWith(`${version}.`)).toBe(true);
      expect(data.threads.map((thread) => thread.tid).sort()).toEqual(
        readdirSync(`/proc/${pid}/task`).map(Number).sort(),
      );
      const waiter = data.threads.find(
        (thread) => plain(thread.stacks[0]?.frames[0]?.function ?? '') === 'wants_guarded',
      );
      expect(waiter?.waitsFor).not.toBeNull();
    },
  );

  it('have the process in a pid namespace of its own: the ids are those of the host', async () => {
    const live = await startProcess('/usr/bin/unshare', [
      ...['--pid', '--fork', '--kill-child', '/usr/bin/python3', '-u'],
      path.join(TARGETS, 'locks.py'),
    ]);
    expect(await live.line(/^standing/)).toBe('standing 1');
    const [pid = 0] = readFileSync(`/proc/${live.pid}/task/${live.pid}/children`, 'latin1')
      .trim()
      .split(' ')
      .map(Number);
    const data = await look(pid);
    expect(data.threads.map((thread) => thread.tid).sort()).toEqual(
      readdirSync(`/proc/${pid}/task`).map(Number).sort(),
    );
    expect(data.threads.find((thread) => thread.name === 'MainThread')?.tid).toBe(pid);
    const keeper = data.threads.find((thread) => thread.name === 'keeps_recursive');
    const waiter = data.threads.find((thread) => thread.name === 'wants_recursive');
    expect(waiter?.waitsFor?.ownerTid).toBe(keeper?.tid);
  });
});
