import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { endProcesses, startPython } from '../../support/live-process.ts';
import { dataOf, look, partly, threadOf } from './sample.parts.ts';

afterEach(endProcesses);

/** Resolves when the sampler sleeps between two looks, so that it has looked at least once. */
const untilItLooked = async (sampler: number | undefined): Promise<void> => {
  for (;;) {
    const where = readFileSync(`/proc/${sampler}/wchan`, 'latin1');
    if (where.includes('nanosleep')) return;
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
};

describe('sample on processes that end, change or mislead', () => {
  it('says so when the process ends in the window', async () => {
    const live = await startPython('import time; print("ready", flush=True); time.sleep(1000)');
    const { parsed } = await look(live.pid, {
      windowSeconds: 30,
      onStart: (child) => void untilItLooked(child.pid).then(() => process.kill(live.pid, 'SIGKILL')),
    });
    expect(threadOf(dataOf(parsed), live.pid).syscalls[0]?.count).toBeGreaterThan(0);
    expect(partly(parsed)).toMatch(/process \d+ ended after \d+\.\d+ s/);
  });

  it('prints what it has seen when it is told to end', async () => {
    const live = await startPython('import time; print("ready", flush=True); time.sleep(1000)');
    const { parsed } = await look(live.pid, {
      windowSeconds: 30,
      onStart: (child) => void untilItLooked(child.pid).then(() => child.kill('SIGTERM')),
    });
    expect(dataOf(parsed).threads).toHaveLength(1);
    expect(partly(parsed)).toContain('told to end before the window was over');
  });

  it.each([
    ['python', {}],
    ['sh', { known: { python: null } }],
  ])('does not mistake a successor for the process (%s)', async (_, known) => {
    const live = await startPython('import time; print("ready", flush=True); time.sleep(1000)');
    const other = await look(live.pid, { startTime: '17', ...known });
    expect(other.parsed).toMatchObject({ ok: false, reason: 'target-gone' });
    await endProcesses();
    const gone = await look(live.pid, { startTime: '17', ...known });
    expect(gone.parsed).toMatchObject({ ok: false, reason: 'target-gone' });
  });

  it('says so when the process executes another program in the window', async () => {
    const live = await startPython(
      'import os, sys; print("ready", flush=True); sys.stdin.readline(); os.execv("/bin/sleep", ["sleep", "1000"])',
    );
    const { parsed } = await look(live.pid, {
      windowSeconds: 2,
      onStart: (child) => void untilItLooked(child.pid).then(() => live.say('now')),
    });
    expect(dataOf(parsed).threads.length).toBeGreaterThan(0);
    expect(partly(parsed)).toMatch(/executed another program: \S*(sleep|coreutils|busybox)\S*, before \S*python/);
  });

  it('looks at 512 threads of 600, and at those that come and go', async () => {
    const live = await startPython(
      `import threading, time, sys
threading.stack_size(65536)
for _ in range(599): threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
print('ready', flush=True)
while True:
    short = threading.Thread(target=time.sleep, args=(0.001,)); short.start(); short.join()`,
    );
    const data = dataOf((await look(live.pid, { windowSeconds: 1.5 })).parsed);
    expect(data.threads.length).toBeGreaterThanOrEqual(512);
    expect(data.threadsNotSampled).toBeGreaterThanOrEqual(88);
    expect(data.threads.map((thread) => thread.tid)).toContain(live.pid);
    const few = await startPython(
      `import threading, time
print('ready', flush=True)
while True:
    short = threading.Thread(target=time.sleep, args=(0.05,)); short.start(); short.join()`,
    );
    const come = dataOf((await look(few.pid)).parsed);
    expect(come.threadsStarted).toBeGreaterThan(0);
    expect(come.threadsEnded).toBeGreaterThan(0);
  });

  it('keeps hostile thread names from forging lines', async () => {
    const name = 'x": 1\n\x1b) R \\';
    const live = await startPython(
      `import ctypes, time; ctypes.CDLL(None).prctl(15, ${JSON.stringify(name)}.encode(), 0, 0, 0)
print("ready", flush=True); time.sleep(1000)`,
    );
    for (const known of [{}, { known: { python: null } }]) {
      const data = dataOf((await look(live.pid, known)).parsed);
      expect(data.threads.map((thread) => [thread.comm, thread.states])).toEqual([
        ['x": 1\\n\\x1b) R \\\\', { S: data.samples }],
      ]);
    }
  });
});
