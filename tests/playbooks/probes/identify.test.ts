import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { IdentifyData, identify } from '../../../playbooks/probes/identify.ts';
import { endProcesses, startProcess, startPython } from '../../support/live-process.ts';
import { makeMemoryCgroup, whyNoMemoryCgroup } from '../../support/memory-cgroup.ts';
import { expectNeverThrows, fixture, fixtureFolder, fixtureNames } from '../../support/parser-safety.ts';
import { evidenceFrom, startTimeOf, stepFor } from '../../support/run-probe.ts';
import { dataOf, isRoot, look, PYTHON, scratch, WAIT } from './identify.parts.ts';

afterEach(endProcesses);

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
    expect(data.host.tools.python3).toMatch(/^\/.+\/python3$/);
    expect(data.host.cpus).toBeGreaterThan(0);
    expect(data.host.load).toHaveLength(3);
    expect(data.host.memoryTotalKib).toBeGreaterThan(data.host.memoryAvailableKib);
    expect(data.host.bootedAt).toBeLessThan(Date.now() / 1000);
    expect(data.host.uid).toBe(process.getuid?.());
    const line = Buffer.from(evidence.stdout).toString().split('\n')[data.memory.at - 1];
    expect(line).toContain(`resident ${data.memory.rssKib} kB`);
  });

  const readelf = ['/usr/bin/eu-readelf', '/usr/bin/readelf'].find(existsSync) ?? '';
  it.skipIf(readelf === '')('agrees with readelf about the build id', async () => {
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

  it.skipIf(!isRoot)('shows a stranger less, and says so', async () => {
    const live = await startPython(WAIT);
    const { parsed } = await look(live.pid, 65534);
    const data = dataOf(parsed);
    expect(data).toMatchObject({ exe: null, cwd: null, root: null, fds: null, uid: 0 });
    expect(data.namespaces).toEqual({});
    expect(data.argv[0]).toBe(PYTHON);
    expect(data.host.uid).toBe(65534);
    expect(data.runtime).toMatchObject({ kind: 'python', library: null });
    expect(parsed.ok && parsed.partly?.join(' ')).toMatch(/exe, cwd, root, fd, ns, maps \(user 65534 may not see them/);
  });

  const noCgroup = whyNoMemoryCgroup();
  it.skipIf(noCgroup)(`reads the memory cgroup${noCgroup ? ` (${noCgroup})` : ''}`, async () => {
    const group = makeMemoryCgroup(256 * 1024 * 1024);
    onTestFinished(() => group.remove());
    const live = await startPython(WAIT);
    group.add(live.pid);
    const { cgroup } = dataOf((await look(live.pid)).parsed);
    expect(cgroup).toMatchObject({ path: group.path, memoryLimitBytes: 256 * 1024 * 1024, oomKills: 0 });
    expect(cgroup?.memoryUsedBytes).toBeGreaterThanOrEqual(0);
  });
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
