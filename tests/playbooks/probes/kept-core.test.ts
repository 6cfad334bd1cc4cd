import { copyFileSync, mkdtempSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Parsed } from '../../../playbooks/model/index.ts';
import { gcore } from '../../../playbooks/probes/gcore.ts';
import { KeptCoreData, keptCore } from '../../../playbooks/probes/kept-core.ts';
import { canRun, pythons } from '../../support/incident.ts';
import { endProcesses, type LiveProcess, startPython } from '../../support/live-process.ts';
import { expectNeverThrows, fixture, fixtureFolder, fixtureNames } from '../../support/parser-safety.ts';
import { evidenceFrom, type RunProbeOptions, runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

const folders: string[] = [];

const newFolder = (): string => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'kept-core-test-')));
  folders.push(folder);
  return folder;
};

afterEach(async () => {
  await endProcesses();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const SPINS = `
import threading
def Suche_größer(pool):
    while pool:
        for index, each in enumerate(pool):
            pass
idle = threading.Thread(target=threading.Event().wait, daemon=True)
idle.start()
print('ready', flush=True)
Suche_größer(list(range(50)))
`;

const dataOf = (parsed: Parsed<KeptCoreData>): KeptCoreData => {
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.why}`);
  return KeptCoreData.parse(parsed.data);
};

/** Takes a core, as the playbook does, and gives its path. */
const take = async (pid: number, keepFolder: string): Promise<string> => {
  const before = await processState(pid);
  const { parsed } = await runProbe(gcore, { pid, keepFolder });
  await expectUnhurt(pid, before);
  if (!parsed.ok) throw new Error(parsed.why);
  return parsed.data.path;
};

const open = async (pid: number, keepFolder: string, more: Partial<RunProbeOptions> = {}) => {
  const before = await processState(pid);
  const { parsed } = await runProbe(keptCore, { pid, keepFolder, ...more });
  await expectUnhurt(pid, before);
  return parsed;
};

/** A Python of its own that can be replaced, and a process that runs it. */
const withOwnPython = async (): Promise<{ live: LiveProcess; python: string; replace: () => void }> => {
  const folder = newFolder();
  const python = join(folder, 'python3');
  copyFileSync(realpathSync('/usr/bin/python3'), python);
  const other = join(folder, 'other');
  copyFileSync(realpathSync('/bin/true'), other);
  return { live: await startPython(SPINS, [], { python }), python, replace: () => renameSync(other, python) };
};

const ownFrames = (data: KeptCoreData) =>
  data.python
    .find((thread) => thread.tid === data.shown)
    ?.stacks[0]?.frames.map(({ function: name, line }) => [name, line]);

describe.runIf(canRun('/usr/bin/gdb'))('kept-core on cores that gcore took', () => {
  const versions = pythons('3.8.18', '3.12.1', '3.13.0');
  it.each(versions)('names function and line of the thread that ran, and its C stack (%s)', async (python) => {
    const keep = newFolder();
    const live = await startPython(SPINS, [], { python });
    const core = await take(live.pid, keep);
    expect(statSync(core).mode & 0o777).toBe(0o600);
    const parsed = await open(live.pid, keep);
    const data = dataOf(parsed);
    expect(data).toMatchObject({
      core: { path: core, pid: live.pid, relation: 'itself' },
      mode: '0600',
      shown: live.pid,
      pythonWhy: null,
      nativeWhy: null,
    });
    expect(data.python).toHaveLength(2);
    expect(ownFrames(data)?.map(([name]) => name)).toEqual(['Suche_größer', '<module>']);
    expect([4, 5, 6]).toContain(ownFrames(data)?.[0]?.[1]);
    expect(data.native.map((frame) => frame.function)).toContain('_PyEval_EvalFrameDefault');
    expect(data.core.executable?.onDisk).toBe(data.core.executable?.buildId);
    // The system's interpreter has debug information beside it, or its advice; others have their own.
    if (python.includes('.pyenv')) expect(parsed.ok ? parsed.partly : []).toHaveLength(1);
  });

  it('reads the Python stacks without gdb', async () => {
    const keep = newFolder();
    const live = await startPython(SPINS);
    await take(live.pid, keep);
    const data = dataOf(await open(live.pid, keep, { known: { tools: {} } }));
    expect(ownFrames(data)?.[0]?.[0]).toBe('Suche_größer');
    expect(data.nativeWhy).toContain('gdb is not installed');
  });

  it('reads it with the executable that ran, though another one lies at its path by now', async () => {
    const keep = newFolder();
    const { live, replace } = await withOwnPython();
    replace();
    const core = await take(live.pid, keep);
    const parsed = await open(live.pid, keep);
    const data = dataOf(parsed);
    expect(ownFrames(data)?.[0]?.[0]).toBe('Suche_größer');
    expect(data.native.map((frame) => frame.function)).toContain('_PyEval_EvalFrameDefault');
    const ran = data.core.executable?.buildId ?? '';
    expect(ran).toMatch(/^[0-9a-f]{40}$/);
    expect(data.symbols).toMatch(/^\/proc\/\d+\/(?:exe|map_files)/);
    expect(statSync(`${core}.exe`).mode & 0o777).toBe(0o600);
    const told = (parsed.ok ? (parsed.partly ?? []) : []).join('\n');
    expect(told).toMatch(new RegExp(`^the core was written by build ${ran} of .* what lies there now`, 'm'));
    expect(told).toContain('a debugger needs that file too');
  });

  it('tells from the process that came after it by both build ids, and how to get the right file', async () => {
    const keep = newFolder();
    const { live, python } = await withOwnPython();
    const core = await take(live.pid, keep);
    await endProcesses();
    // The same path and arguments, but another build of the interpreter, as after an upgrade.
    const [newer] = pythons('3.11.7', '3.12.1', '3.13.0').slice(1);
    if (newer === undefined) return;
    rmSync(python);
    copyFileSync(realpathSync(newer), python);
    const env = { ...process.env, PYTHONHOME: join(realpathSync(newer), '../..') };
    const next = await startPython(SPINS, [], { python, env });
    const parsed = await open(next.pid, keep);
    const data = dataOf(parsed);
    expect(data.core).toMatchObject({ path: core, relation: 'predecessor', pid: live.pid });
    expect(data.symbols).toBeNull();
    expect(data.nativeWhy).toContain('no file of the build that wrote the core is at hand');
    const { buildId, onDisk } = data.core.executable ?? {};
    expect(onDisk).not.toBe(buildId);
    const told = (parsed.ok ? (parsed.partly ?? []) : []).join('\n');
    expect(told).toContain(`debuginfod-find executable ${buildId}`);
    expect(told).toContain(`gdb FILE ${core}`);
  });

  it('says that none was taken', async () => {
    const live = await startPython(SPINS);
    expect(await open(live.pid, newFolder())).toMatchObject({
      ok: false,
      reason: 'not-applicable',
      why: expect.stringContaining('gcore takes one'),
    });
  });
});

describe('kept-core on recorded hosts', () => {
  it('never throws', () => {
    expectNeverThrows(
      keptCore,
      fixtureNames('kept-core').map((name) => fixture('kept-core', name)),
    );
  });

  it.each(fixtureNames('kept-core'))('reads %s as its golden answer', async (name) => {
    const parsed = keptCore.parse(evidenceFrom('kept-core', fixture('kept-core', name)), stepFor(keptCore, { pid: 1 }));
    if (parsed.ok) KeptCoreData.parse(parsed.data);
    const golden = join(fixtureFolder('kept-core'), name.replace(/txt$/, 'golden'));
    await expect(`${JSON.stringify(parsed, null, 2)}\n`).toMatchFileSnapshot(golden);
  });
});
