import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Parsed } from '../../../playbooks/model/index.ts';
import { CoreStacksData, coreStacks } from '../../../playbooks/probes/core-stacks.ts';
import { compileExtension, coresInFolder, removeExtensions, whyNoExtensions } from '../../support/extension.ts';
import { canRun, pythons } from '../../support/incident.ts';
import { endProcesses, startPython } from '../../support/live-process.ts';
import { expectNeverThrows, fixture, fixtureFolder, fixtureNames } from '../../support/parser-safety.ts';
import { evidenceFrom, type RunProbeOptions, runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

const folders: string[] = [];

afterEach(async () => {
  await endProcesses();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
afterAll(removeExtensions);

const dataOf = (parsed: Parsed<CoreStacksData>): CoreStacksData => {
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.why}`);
  return CoreStacksData.parse(parsed.data);
};

const MASTER = `
import os, resource, sys, threading
resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))
import thumbs

def Vorschau_größer(data):
    return thumbs.scale(data)

print('ready', flush=True)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        idle = threading.Thread(target=threading.Event().wait, daemon=True)
        idle.start()
        Vorschau_größer(b'')
    os.waitpid(pid, 0)
    print('dead', pid, flush=True)
`;

const crashed = async (python = '/usr/bin/python3') => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'core-stacks-test-')));
  folders.push(folder);
  const env = { ...process.env, PYTHONPATH: compileExtension('native-crash/native/thumbs.c', python) };
  const live = await startPython(MASTER, [], { cwd: folder, python, env });
  live.say('go');
  const pid = Number((await live.line(/^dead/)).split(' ')[1]);
  return { live, pid, folder };
};

const look = async (pid: number, more: Partial<RunProbeOptions> = {}) => {
  const before = await processState(pid);
  const run = await runProbe(coreStacks, { pid, ...more });
  await expectUnhurt(pid, before);
  return run;
};

const versions = pythons('2.7.18', '3.6.15', '3.8.18', '3.10.13', '3.12.1', '3.13.0').filter(
  (python) => !python.includes('2.7') && whyNoExtensions(python) === null,
);

describe.runIf(coresInFolder() && whyNoExtensions() === null)('core-stacks on real cores', () => {
  it.each(versions)('reads the Python stacks without gdb (%s)', async (python) => {
    const { live, pid } = await crashed(python);
    const { parsed, evidence } = await look(live.pid, { known: { tools: {} } });
    const data = dataOf(parsed);
    expect(data.core).toMatchObject({ pid, signal: 11, relation: 'child' });
    const dead = data.python.find((thread) => thread.tid === data.died);
    expect(dead?.stacks[0]?.frames.map((frame) => frame.function)).toEqual(['Vorschau_größer', '<module>']);
    expect(dead?.stacks[0]?.frames[0]?.line).toBe(7);
    const line = Buffer.from(evidence.stdout).toString().split('\n')[(dead?.stacks[0]?.frames[0]?.at ?? 0) - 1];
    expect(line).toContain('Vorschau_größer');
    expect(data.python).toHaveLength(2);
    expect(data.nativeWhy).toContain('gdb is not installed');
    expect(data.core.crashedIn?.path).toMatch(/thumbs\./);
  });

  it.runIf(canRun('/usr/bin/gdb'))('names the C function, its file and line, and who called it', async () => {
    const { live } = await crashed();
    const { native } = dataOf((await look(live.pid)).parsed);
    expect(native[0]?.object).toMatch(/thumbs\./);
    expect(native[0]?.file).toMatch(/thumbs\.c$/);
    expect(native.map((frame) => frame.function)).toContain('scale');
    expect(native.findIndex((frame) => frame.function === '_PyEval_EvalFrameDefault')).toBeGreaterThan(0);
  });

  it('says that there is none', async () => {
    const live = await startPython('import sys; print("ready", flush=True); sys.stdin.read()', [], { cwd: '/' });
    expect((await look(live.pid)).parsed).toMatchObject({ ok: false, reason: 'not-applicable' });
  });
});

describe('core-stacks on recorded hosts', () => {
  it('never throws', () => {
    expectNeverThrows(
      coreStacks,
      fixtureNames('core-stacks').map((name) => fixture('core-stacks', name)),
    );
  });

  it.each(fixtureNames('core-stacks'))('reads %s as its golden answer', async (name) => {
    const evidence = evidenceFrom('core-stacks', fixture('core-stacks', name));
    const parsed = coreStacks.parse(evidence, stepFor(coreStacks, { pid: 1 }));
    if (parsed.ok) CoreStacksData.parse(parsed.data);
    const golden = join(fixtureFolder('core-stacks'), name.replace(/txt$/, 'golden'));
    await expect(`${JSON.stringify(parsed, null, 2)}\n`).toMatchFileSnapshot(golden);
  });
});
