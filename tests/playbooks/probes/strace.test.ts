import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Probe } from '../../../playbooks/model/index.ts';
import { type StraceData, strace } from '../../../playbooks/probes/strace.ts';
import { endProcesses, startProcess, startPython, untilState, whileTraced } from '../../support/live-process.ts';
import { runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';
import { canHideTools, withoutTools } from '../../support/without-tools.ts';

describe('command', () => {
  it('is an argv of numbers only, with more lines for more threads', () => {
    const command = strace.command(stepFor(strace, { pid: 4242, windowSeconds: 2.5, known: { threads: 30 } }));
    expect(command).toEqual({
      argv: ['sh', '{script:strace.sh}', '4242', '2500', '2030'],
      scripts: ['strace.sh'],
    });
    const huge = stepFor(strace, { pid: 1, known: { threads: 90_000 } });
    expect(strace.command(huge).argv.at(-1)).toBe('10000');
  });

  it('has time for the window, the short count after it and a strace that hangs', () => {
    expect(strace.limits.seconds(stepFor(strace, { pid: 1, windowSeconds: 3 }))).toBe(11);
  });

  it('refuses options that it does not have', () => {
    expect(() => strace.options.parse({ follow: true })).toThrow();
  });
});

const traced = async (pid: number, run: Partial<Parameters<typeof runProbe>[1]> = {}) => {
  const before = await processState(pid);
  const result = await runProbe(strace as Probe<StraceData>, { pid, windowSeconds: 0.6, ...run });
  await expectUnhurt(pid, before);
  return { ...result, data: result.parsed.ok ? result.parsed.data : null };
};

describe('real processes', () => {
  afterEach(endProcesses);

  it('sees each blocked call once, for exactly the threads that there are', async () => {
    const live = await startPython(`
import threading, socket
a, b = socket.socketpair()
for _ in range(3):
    threading.Thread(target=a.recv, args=(1,), daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
`);
    await untilState(live.pid, 'S');
    const tasks = readdirSync(`/proc/${live.pid}/task`)
      .map(Number)
      .sort((x, y) => x - y);
    const { data } = await traced(live.pid);
    expect(data?.attached).toEqual(tasks);
    const blocked = data?.detail.calls.filter((call) => call.result === null) ?? [];
    expect(blocked.map((call) => call.name).sort()).toEqual(['futex', 'recvfrom', 'recvfrom', 'recvfrom']);
    expect(data?.summary.calls).toEqual([]);
  });

  it('lets go of a busy process at the line limit and counts briefly', async () => {
    const live = await startPython('import os\nprint("ready")\nf = os.open("/dev/zero", 0)\nwhile True: os.read(f, 1)');
    const { data, evidence } = await traced(live.pid, { windowSeconds: 5, options: { lines: 200 } });
    expect(data?.detail.cut).toBe(true);
    expect(data?.detail.calls.length).toBeGreaterThanOrEqual(200);
    expect(data?.summary.calls[0]).toMatchObject({ name: 'read', errors: 0 });
    expect(data?.summary.calls[0]?.calls).toBeGreaterThan(0);
    expect(data?.summary.seconds).toBeLessThan(evidence.seconds);
  });

  it('is silent about a process that spins', async () => {
    const live = await startPython('print("ready")\nwhile True: pass');
    const { data } = await traced(live.pid);
    expect(data).toMatchObject({ summary: { calls: [] }, detail: { calls: [], cut: false }, attached: [live.pid] });
  });

  it('names the sender of a signal and the error of a call', async () => {
    const live = await startPython(`
import signal, os
signal.signal(signal.SIGUSR1, lambda *_: None)
print("ready")
while True:
    signal.pause()
    try: os.open("/no such\\nfile", 0)
    except OSError: pass
`);
    await untilState(live.pid, 'S');
    const { data } = await traced(live.pid, {
      windowSeconds: 1.5,
      onStart: () => {
        const sender = setInterval(() => live.child.kill('SIGUSR1'), 50);
        live.child.once('exit', () => clearInterval(sender));
      },
    });
    expect(data?.detail.signals[0]).toMatchObject({ signal: 'SIGUSR1', code: 'SI_USER', pid: process.pid });
    const opened = data?.detail.calls.find((call) => call.errno === 'ENOENT');
    expect(opened?.args).toContain('"/no such\\nfile"');
  });

  it('leaves a stopped process stopped', async () => {
    const live = await startPython('import time\nprint("ready")\nwhile True: time.sleep(0.01)');
    live.child.kill('SIGSTOP');
    await untilState(live.pid, 'T');
    const { data } = await traced(live.pid, { windowSeconds: 0.5 });
    expect(data?.detail.calls).toEqual([]);
    expect(data?.attached).toEqual([live.pid]);
  });

  it('comes to an end with a parent of many short-lived children', async () => {
    const live = await startProcess('sh', [
      '-c',
      'echo up; while :; do /bin/true & /bin/true & /bin/true & wait; done',
    ]);
    await live.line(/up/);
    const { evidence, data } = await traced(live.pid, { windowSeconds: 1 });
    expect(evidence.end).toBe('exited');
    expect(data?.attached).toContain(live.pid);
  });

  it('refuses a process that another tool traces, and says which', async () => {
    const live = await startPython('import time\nprint("ready")\ntime.sleep(1000)');
    await whileTraced(live.pid, async (tracer) => {
      const { parsed } = await runProbe(strace, { pid: live.pid, windowSeconds: 0.5 });
      expect(parsed).toMatchObject({ ok: false, reason: 'failed', why: expect.stringContaining(`process ${tracer}`) });
    });
  });

  it.runIf(process.getuid?.() === 0)('says that it was not permitted', async () => {
    const live = await startPython('import time\nprint("ready")\ntime.sleep(1000)');
    const { parsed } = await traced(live.pid, { uid: 65_534 });
    expect(parsed).toMatchObject({ ok: false, reason: 'no-permission' });
  });

  it('lets go when its process group is told to end in the middle', async () => {
    const live = await startPython('import time\nprint("ready")\ntime.sleep(1000)');
    await untilState(live.pid, 'S');
    const before = await processState(live.pid);
    const { evidence } = await runProbe(strace, {
      pid: live.pid,
      windowSeconds: 30,
      onStart: (child) => {
        const attached = setInterval(() => {
          void processState(live.pid).then((now) => {
            if (now.threads.get(live.pid)?.tracer === 0) return;
            clearInterval(attached);
            try {
              if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
            } catch {
              // It had ended by itself, which the duration below would show.
            }
          });
        }, 10);
      },
    });
    expect(evidence.seconds).toBeLessThan(25);
    await expectUnhurt(live.pid, before);
  });

  it.runIf(canHideTools())('says that strace is missing', async () => {
    const live = await startPython('import time\nprint("ready")\ntime.sleep(1000)');
    const { parsed, evidence } = await runProbe(withoutTools(strace, ['strace']), { pid: live.pid });
    expect(parsed).toMatchObject({ ok: false, reason: 'missing-tool' });
    expect(evidence.exit).toBe(127);
  });

  it('answers for a process that is gone', async () => {
    const live = await startPython('print("ready")\ninput()');
    live.say('');
    await once(live.child, 'exit');
    const { parsed } = await runProbe(strace, { pid: live.pid });
    expect(parsed).toMatchObject({ ok: false, reason: 'target-gone' });
  });
});
