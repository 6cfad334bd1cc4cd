import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { freezers, makeFreezerCgroup } from '../../support/freezer-cgroup.ts';
import { endProcesses, startProcess, startPython, untilState } from '../../support/live-process.ts';
import { dataOf, isRoot, look, PYTHON, scratch, WAIT, whyOf } from './identify.parts.ts';

afterEach(endProcesses);

describe('identify on live processes', () => {
  it('sees a stopped process and its tracer', async () => {
    const live = await startPython(WAIT);
    process.kill(live.pid, 'SIGSTOP');
    await untilState(live.pid, 'T');
    expect(dataOf((await look(live.pid)).parsed).state.letter).toBe('T');
    process.kill(live.pid, 'SIGCONT');
    const tracer = await startPython(
      `import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
ok = libc.ptrace(0x4206, ${live.pid}, 0, 0) == 0
print('ready' if ok else 'refused', flush=True)
sys.stdin.read()`,
    );
    const data = dataOf((await look(live.pid)).parsed);
    expect(data.tracer?.pid).toBe(tracer.pid);
    expect(data.tracer?.command).toContain('ptrace');
  });

  it('says what a zombie is and whose', async () => {
    const parent = await startPython(
      `import os, sys
child = os.fork()
if child == 0: os._exit(0)
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
print('ready', child, flush=True)
sys.stdin.read()`,
    );
    const { children } = dataOf((await look(parent.pid)).parsed);
    expect(children.map((child) => child.state)).toEqual(['Z']);
    const { reason, why } = whyOf((await look(children[0]?.pid ?? 0)).parsed);
    expect(reason).toBe('not-applicable');
    expect(why).toContain(`zombie: its parent ${parent.pid}`);
  });

  it('describes a process whose first thread has ended', async () => {
    const live = await startPython(
      `import ctypes, threading, sys, platform, os
worker = threading.Thread(target=sys.stdin.read)
worker.start()
print('ready', flush=True)
ctypes.CDLL(None).syscall(60 if platform.machine() == 'x86_64' else 93, 0)`,
    );
    await untilState(live.pid, 'Z');
    const { parsed } = await look(live.pid);
    const data = dataOf(parsed);
    expect(data.state.letter).toBe('Z');
    expect(data.exe?.path).toContain('python');
    expect(data.runtime.kind).toBe('python');
    expect(parsed.ok && parsed.partly).toContain('its first thread has ended, the others live on');
  });

  it('refuses threads, kernel threads and pids that are not there', async () => {
    const live = await startPython(
      `import threading, sys
threading.Thread(target=sys.stdin.read).start()
print('ready', flush=True)`,
    );
    const tid = readdirSync(`/proc/${live.pid}/task`)
      .map(Number)
      .find((id) => id !== live.pid);
    if (tid === undefined) throw new Error('it has no second thread');
    expect(whyOf((await look(tid)).parsed)).toEqual({
      reason: 'not-applicable',
      why: `${tid} is a thread of process ${live.pid}; diagnose process ${live.pid} instead`,
    });
    const short = spawn('true');
    await once(short, 'close');
    expect(whyOf((await look(short.pid ?? 0)).parsed)).toEqual({
      reason: 'target-gone',
      why: `there is no process ${short.pid}`,
    });
    // pid 2 is kthreadd everywhere except in a container.
    if (readFileSync('/proc/2/stat', 'latin1').includes('(kthreadd)'))
      expect(whyOf((await look(2)).parsed).why).toContain('is a thread of the kernel');
  });

  it('lists children and siblings with what they run', async () => {
    const parent = await startPython(
      `import subprocess, sys
kids = [subprocess.Popen(['sleep', str(300 + i)]) for i in range(3)]
print('ready', *[k.pid for k in kids], flush=True)
try: sys.stdin.read()
finally:
    for k in kids: k.kill(); k.wait()`,
    );
    const data = dataOf((await look(parent.pid)).parsed);
    expect(data.children.map((child) => child.command)).toEqual(['sleep 300', 'sleep 301', 'sleep 302']);
    expect(data.children.every((child) => (child.ageSeconds ?? -1) >= 0)).toBe(true);
    const first = data.children[0]?.pid ?? 0;
    const kid = dataOf((await look(first)).parsed);
    expect(kid.parent?.pid).toBe(parent.pid);
    expect(kid.siblings.map((sibling) => sibling.command)).toEqual(['sleep 301', 'sleep 302']);
    expect(kid.runtime.kind).toBe('other');
    parent.child.stdin?.end();
    await once(parent.child, 'exit');
  });

  it.skipIf(!isRoot)('tells a container by its namespaces', async () => {
    const live = await startProcess('unshare', ['--mount', '--pid', '--fork', '--kill-child', PYTHON, '-c', WAIT]);
    await live.line(/^ready/);
    const outer = dataOf((await look(live.pid)).parsed);
    const inner = dataOf((await look(outer.children[0]?.pid ?? 0)).parsed);
    expect(inner.container).toBe(true);
    expect(inner.runtime.kind).toBe('python');
    expect(inner.kept).toBeUndefined();
  });

  it.skipIf(!isRoot)('tells who keeps a container that has no control group of its own', async () => {
    const id = '4f'.repeat(32);
    const [conmon, script] = [join(scratch(), 'conmon'), join(scratch(), 'keep.py')];
    copyFileSync(realpathSync(PYTHON), conmon);
    const inside = `import os, sys; os.fork() or sys.stdin.read(); print("ready", flush=True); sys.stdin.read()`;
    writeFileSync(
      script,
      `import subprocess; subprocess.run(["unshare", "--pid", "--fork", "--kill-child", ${JSON.stringify(PYTHON)}, "-c", ${JSON.stringify(inside)}])`,
    );
    const live = await startProcess(conmon, [script, '-c', id, '-u', id, '-n', 'till']);
    await live.line(/^ready/);
    const below = async (pid: number): Promise<number> => dataOf((await look(pid)).parsed).children[0]?.pid ?? 0;
    const unshare = await below(live.pid);
    const first = await below(unshare);
    for (const pid of [first, await below(first)]) {
      const data = dataOf((await look(pid)).parsed);
      expect(data.pidInside).toBeGreaterThan(0);
      expect(data.kept).toMatchObject({ container: id, name: 'till' });
    }
    expect(dataOf((await look(unshare)).parsed).kept).toBeUndefined();
  });
});

describe('identify of processes that are held', () => {
  it.each(freezers())('says what froze it, in %s', async (hierarchy) => {
    const group = makeFreezerCgroup(hierarchy);
    onTestFinished(() => group.remove());
    const live = await startPython(WAIT);
    expect(dataOf((await look(live.pid)).parsed).frozen).toBeUndefined();
    try {
      await group.freeze(live.pid);
      const thaw = group.file.endsWith('state') ? 'THAWED' : '0';
      expect(dataOf((await look(live.pid)).parsed).frozen).toMatchObject({ file: group.file, thaw });
    } finally {
      group.thaw();
    }
  });

  it.skipIf(!isRoot || !existsSync('/usr/bin/strace'))(
    'reads the command of a tracer once that is a child too',
    async () => {
      const live = await startPython(`
import os, time
pid = os.getpid()
if os.fork() == 0:
    os.execv("/usr/bin/strace", ["strace", "-o", "/dev/null", "-p", str(pid)])
while "TracerPid:\\t0\\n" in open("/proc/self/status").read():
    time.sleep(0.01)
print("ready", flush=True)
time.sleep(600)
`);
      const { tracer, children } = dataOf((await look(live.pid)).parsed);
      expect(tracer?.command).toBe(`strace -o /dev/null -p ${live.pid}`);
      expect(children.map((child) => child.command)).toEqual([tracer?.command]);
    },
  );
});
