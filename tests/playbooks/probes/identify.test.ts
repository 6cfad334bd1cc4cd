import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Parsed } from '../../../playbooks/model/index.ts';
import { IdentifyData, identify } from '../../../playbooks/probes/identify.ts';
import { freezers, makeFreezerCgroup } from '../../support/freezer-cgroup.ts';
import { endProcesses, startProcess, startPython, untilState } from '../../support/live-process.ts';
import { makeMemoryCgroup, whyNoMemoryCgroup } from '../../support/memory-cgroup.ts';
import { expectNeverThrows, fixture, fixtureFolder, fixtureNames } from '../../support/parser-safety.ts';
import { evidenceFrom, runProbe, startTimeOf, stepFor } from '../../support/run-probe.ts';

const root = process.getuid?.() === 0;
const PYTHON = '/usr/bin/python3';
const folders: string[] = [];
const undo: (() => Promise<void>)[] = [];

afterEach(async () => {
  await endProcesses();
  for (const step of undo.splice(0).reverse()) await step();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const scratch = (): string => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'identify-test-')));
  folders.push(folder);
  return folder;
};

const look = (pid: number, uid?: number) => runProbe(identify, { pid, known: null, ...(uid ? { uid } : {}) });

const dataOf = (parsed: Parsed<IdentifyData>): IdentifyData => {
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.why}`);
  return IdentifyData.parse(parsed.data);
};

const whyOf = (parsed: Parsed<IdentifyData>): { reason: string; why: string } => {
  if (parsed.ok) throw new Error('it was identified');
  return { reason: parsed.reason, why: parsed.why };
};

const WAIT = 'import sys; print("ready", flush=True); sys.stdin.read()';

describe('identify on live processes', () => {
  it('asks for one script and the pid', () => {
    const step = stepFor(identify, { pid: 4321, known: null });
    expect(identify.command(step)).toEqual({
      argv: ['sh', '{script:identify.sh}', '4321'],
      scripts: ['identify.sh'],
    });
  });

  it('describes a Python process as /proc does', async () => {
    const cwd = scratch();
    const live = await startPython(WAIT, ['--port', '80'], { cwd });
    const { parsed, evidence } = await look(live.pid);
    const data = dataOf(parsed);
    expect(parsed.ok && parsed.partly).toEqual([]);
    expect(data.argv).toEqual([PYTHON, '-u', '-c', WAIT, '--port', '80']);
    expect(data.command).toBe(`${PYTHON} -u -c ${WAIT} --port 80`);
    expect(data.startTime).toBe(startTimeOf(live.pid));
    expect(data.exe?.path).toBe(readlinkSync(`/proc/${live.pid}/exe`));
    expect(data.exe?.deleted).toBe(false);
    expect(data.exe?.buildId).toMatch(/^[0-9a-f]{16,64}$/);
    expect(data.cwd).toBe(cwd);
    expect(data.root).toBe('/');
    expect(data.threads).toBe(1);
    expect(data.uid).toBe(process.getuid?.());
    expect(data.tracer).toBeNull();
    expect(data.memory.rssKib).toBeGreaterThan(1000);
    expect(data.fds?.open).toBeGreaterThanOrEqual(3);
    expect(data.runtime.kind).toBe('python');
    expect(data.runtime.version).toMatch(/^3\.\d+/);
    expect(data.container).toBe(false);
    expect(data.namespaces.mnt).toBe(readlinkSync(`/proc/${live.pid}/ns/mnt`));
    expect(data.parent?.pid).toBe(process.pid);
    expect(data.parent?.caught).toMatch(/^[0-9a-f]{16}$/);
    expect(data.host.tools.python3).toBeTruthy();
    expect(data.host.cpus).toBeGreaterThan(0);
    expect(data.host.load).toHaveLength(3);
    expect(data.host.memoryTotalKib).toBeGreaterThan(data.host.memoryAvailableKib);
    expect(data.host.bootedAt).toBeLessThan(Date.now() / 1000);
    expect(data.host.uid).toBe(process.getuid?.());
    const line = Buffer.from(evidence.stdout).toString().split('\n')[data.memory.at - 1];
    expect(line).toContain(`resident ${data.memory.rssKib} kB`);
  });

  it('agrees with readelf about the build id', async () => {
    const readelf = ['/usr/bin/eu-readelf', '/usr/bin/readelf'].find(existsSync);
    if (!readelf) return expect(readelf, 'this machine has no readelf to compare with').toBeUndefined();
    const live = await startPython(WAIT);
    const child = await startProcess(readelf, ['-n', `/proc/${live.pid}/exe`]);
    const line = await child.line(/Build ID: [0-9a-f]+/);
    const data = dataOf((await look(live.pid)).parsed);
    expect(line).toContain(data.exe?.buildId ?? 'none');
    expect(data.runtime.buildId).toBe(data.exe?.buildId);
    expect(data.runtime.symbols).toBe(
      existsSync(`/usr/lib/debug/.build-id/${data.exe?.buildId?.replace(/^../, '$&/')}.debug`),
    );
  });

  const PYENV = `${process.env.HOME}/.pyenv/versions/3.12.1/bin/python3.12`;
  it.skipIf(!existsSync(PYENV))(
    'finds the interpreter in a shared library and its full version in the path',
    async () => {
      const live = await startPython(WAIT, [], { python: PYENV });
      const { runtime, exe } = dataOf((await look(live.pid)).parsed);
      expect(runtime.kind).toBe('python');
      expect(runtime.version).toBe('3.12.1');
      if (runtime.library !== exe?.path) expect(runtime.library).toMatch(/libpython3\.12\.so/);
    },
  );

  it('keeps hostile names from forging facts', async () => {
    const cwd = join(scratch(), 'a\nstate: Z (zombie) (deleted)');
    mkdirSync(cwd);
    const source = `import ctypes; ctypes.CDLL(None).prctl(15, b'a) R\\nx: \\x1b"\\\\', 0, 0, 0); ${WAIT}`;
    const args = ['two\nexecutable: /bin/forged', 'back\\slash', '\u202etxt.exe', 'a b'];
    const live = await startPython(source, args, { cwd });
    const data = dataOf((await look(live.pid)).parsed);
    expect(data.argv.slice(4, 6)).toEqual(args.slice(0, 2));
    expect(data.argv[7]).toBe('a b');
    expect(data.command).toContain('two\\nexecutable: /bin/forged back\\\\slash \\xe2\\x80\\xaetxt.exe a b');
    expect(data.comm).toBe('a) R\\nx: \\x1b"\\\\');
    expect(data.state.letter).toMatch(/[SR]/);
    expect(data.exe?.path).not.toContain('forged');
    expect(data.cwd).toMatch(/a\\nstate: Z \(zombie\) \(deleted\)$/);
    const parent = dataOf((await look(process.pid)).parsed);
    expect(parent.children.find((child) => child.pid === live.pid)?.comm).toBe(data.comm);
  });

  it('sees an executable that was deleted', async () => {
    const copy = join(scratch(), 'my sleep (deleted)');
    const cp = spawn('cp', ['/bin/sleep', copy]);
    await once(cp, 'close');
    const live = await startProcess(copy, ['300']);
    expect(dataOf((await look(live.pid)).parsed).exe).toMatchObject({ path: copy, deleted: false });
    rmSync(copy);
    const { exe, runtime } = dataOf((await look(live.pid)).parsed);
    expect(exe).toMatchObject({ path: copy, deleted: true });
    expect(exe?.buildId).toMatch(/^[0-9a-f]+$/);
    expect(runtime.kind).toBe('other');
  });

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

  it.skipIf(!root)('shows a stranger less, and says so', async () => {
    const live = await startPython(WAIT);
    const { parsed } = await look(live.pid, 65534);
    const data = dataOf(parsed);
    expect(data).toMatchObject({ exe: null, cwd: null, root: null, fds: null, namespaces: {}, uid: 0 });
    expect(data.argv[0]).toBe(PYTHON);
    expect(data.host.uid).toBe(65534);
    expect(data.runtime).toMatchObject({ kind: 'python', library: null });
    expect(parsed.ok && parsed.partly?.join(' ')).toMatch(/exe, cwd, root, fd, ns, maps \(user 65534 may not see them/);
  });

  it.skipIf(!root)('tells a container by its namespaces', async () => {
    const live = await startProcess('unshare', ['--mount', '--pid', '--fork', '--kill-child', PYTHON, '-c', WAIT]);
    await live.line(/^ready/);
    const outer = dataOf((await look(live.pid)).parsed);
    const inner = dataOf((await look(outer.children[0]?.pid ?? 0)).parsed);
    expect(inner.container).toBe(true);
    expect(inner.runtime.kind).toBe('python');
    expect(inner.kept).toBeUndefined();
  });

  it.skipIf(!root)('tells who keeps a container that has no control group of its own', async () => {
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

  const noCgroup = whyNoMemoryCgroup();
  it.skipIf(noCgroup)(`reads the memory cgroup${noCgroup ? ` (${noCgroup})` : ''}`, async () => {
    const group = makeMemoryCgroup(256 * 1024 * 1024);
    undo.push(group.remove);
    const live = await startPython(WAIT);
    group.add(live.pid);
    const { cgroup } = dataOf((await look(live.pid)).parsed);
    expect(cgroup).toMatchObject({ path: group.path, memoryLimitBytes: 256 * 1024 * 1024, oomKills: 0 });
    expect(cgroup?.memoryUsedBytes).toBeGreaterThanOrEqual(0);
  });
});

describe('identify of processes that are held', () => {
  it.each(freezers())('says what froze it, in %s', async (hierarchy) => {
    const group = makeFreezerCgroup(hierarchy);
    undo.push(group.remove);
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

  it.skipIf(!root || !existsSync('/usr/bin/strace'))(
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

describe('identify on recorded hosts', () => {
  const parse = (name: string, pid: number) =>
    identify.parse(evidenceFrom('identify', fixture('identify', name)), stepFor(identify, { pid, known: null }));

  it('never throws', () => {
    expectNeverThrows(
      identify,
      fixtureNames('identify').map((name) => fixture('identify', name)),
      { known: null },
    );
  });

  it.each(fixtureNames('identify'))('reads %s as its golden answer', async (name) => {
    const pid = Number(/-(\d+)\.txt$/.exec(name)?.[1]);
    const parsed = parse(name, pid);
    if (parsed.ok) IdentifyData.parse(parsed.data);
    const golden = join(fixtureFolder('identify'), name.replace(/txt$/, 'golden'));
    await expect(`${JSON.stringify(parsed, null, 2)}\n`).toMatchFileSnapshot(golden);
  });

  it('keeps quiet about nothing: an output that breaks off is partial or refused', () => {
    const [name = ''] = fixtureNames('identify');
    const bytes = fixture('identify', name);
    const pid = Number(/-(\d+)\.txt$/.exec(name)?.[1]);
    const step = stepFor(identify, { pid, known: null });
    for (let cut = 0; cut < bytes.length - 5; cut += 97) {
      const parsed = identify.parse(evidenceFrom('identify', bytes.subarray(0, cut)), step);
      if (parsed.ok) expect(parsed.partly).toContain('the description of the process breaks off');
      else expect(parsed.reason).toBe('not-parsable');
    }
  });
});
