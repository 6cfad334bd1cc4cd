import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { everyInterpreter, sayWhatIsMissing } from '../../support/every-interpreter.ts';
import { endProcesses, startProcess } from '../../support/live-process.ts';
import { look, own, plain, start, TARGETS, versionOf, watchStates } from '../../support/py-stacks.ts';

afterEach(endProcesses);
sayWhatIsMissing();

describe('a program that has written down all of its stacks', () => {
  it.each(everyInterpreter)('is never seen in another one, and runs on all the while: %s', async (python) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'straceback-truth-'));
    try {
      const file = path.join(folder, 'legal');
      const live = await start('truth.py', python, [file, '2']);
      const rounds = async () => {
        live.say('rounds');
        return Number((await live.line(/^rounds/)).split(' ')[1]);
      };
      /** The frames from the innermost out to `work`, which is called in the same way when recorded and when looked at. */
      const inner = (words: string[]) => words.slice(0, words.findIndex((word) => word.startsWith('work:')) + 1);
      const legal = new Set(
        readFileSync(file, 'utf8')
          .split('\n')
          .map((line) => inner(line.split(' ')).join(' ')),
      );
      expect(legal.size).toBeGreaterThan(100);
      const before = await rounds();
      const states = watchStates(live.pid);
      const data = await look(live.pid, { windowSeconds: 3, options: { hz: 150 } });
      // Never stopped and never traced, and it went on with its work.
      expect(await states.end()).toEqual([]);
      expect(await rounds()).toBeGreaterThan(before);
      const seen = data.threads.flatMap((thread) =>
        thread.stacks.map((stack) =>
          inner(
            stack.frames
              .filter((frame) => frame.file.endsWith('truth.py'))
              .map((frame) => `${plain(frame.function)}:${frame.line}`),
          ).join(' '),
        ),
      );
      const distinct = new Set(seen.filter((stack) => stack !== ''));
      expect(distinct.size).toBeGreaterThan(10);
      expect([...distinct].filter((stack) => !legal.has(stack))).toEqual([]);
      const workers = data.threads.filter((thread) => thread.name !== 'MainThread');
      expect(workers).toHaveLength(2);
      for (const worker of workers) expect(worker.unread).toBeLessThan(worker.samples / 10);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('threads', () => {
  it.each(everyInterpreter)('that start and end all the time do not hide those that last: %s', async (python) => {
    const live = await start('churning.py', python);
    const data = await look(live.pid, { windowSeconds: 1, options: { hz: 50 } });
    for (const name of ['MainThread', 'lasting-1', 'lasting-2']) {
      const thread = data.threads.find((one) => one.name === name);
      expect(thread?.samples, name).toBeGreaterThan(data.samples / 2);
      expect(thread?.stacks.length, name).toBeGreaterThan(0);
    }
    const tids = data.threads.map((thread) => thread.tid).filter((tid) => tid !== null);
    expect(tids).toContain(live.pid);
    for (const thread of data.threads) {
      for (const stack of thread.stacks) {
        const [first] = stack.frames.filter((frame) => frame.file.endsWith('churning.py'));
        if (first) expect(['shorter', 'short', 'lasting', '<listcomp>', '<module>']).toContain(plain(first.function));
      }
    }
  });

  it('that become more all the time are seen, but for those that have only just begun', async () => {
    const live = await start('gathering.py', '/usr/bin/python3');
    const data = await look(live.pid, { windowSeconds: 1, options: { hz: 20 } });
    expect(data.threads.length).toBeGreaterThan(500);
    expect(data.threads.find((thread) => thread.name === 'MainThread')?.samples).toBe(data.samples);
    const lingering = data.threads.filter((thread) =>
      thread.stacks[0]?.frames.some((frame) => plain(frame.function) === 'linger'),
    );
    expect(lingering.length).toBeGreaterThan(400);
  });

  it.each(everyInterpreter)('of a forked child have the ids of the child: %s', async (python) => {
    const live = await startProcess(python, ['-u', path.join(TARGETS, 'forked.py')]);
    const child = Number((await live.line(/^standing/)).split(' ')[1]);
    const data = await look(child);
    const tids = readdirSync(`/proc/${child}/task`).map(Number).sort();
    expect(data.threads.map((thread) => thread.tid).sort()).toEqual(tids);
    const started = data.threads.find((thread) => thread.name === 'started in child');
    expect(own(started?.stacks[0])).toEqual(['in_child']);
    expect(own(data.threads.find((thread) => thread.tid === child)?.stacks[0])[0]).toBe('waits_in_child');
    live.say('end');
  });

  it.each(everyInterpreter.filter((python) => !/2\.7|3\.[67]/.test(versionOf(python))))(
    'of a second interpreter are seen too: %s',
    async (python) => {
      const live = await start('interpreters.py', python);
      const data = await look(live.pid);
      expect(data.interpretersNotRead).toBe(0);
      const functions = data.threads.flatMap((thread) => thread.stacks[0]?.frames.map((frame) => frame.function) ?? []);
      expect(functions).toContain('in_second_interpreter');
    },
  );
});
