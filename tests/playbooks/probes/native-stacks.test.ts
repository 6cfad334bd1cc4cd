import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Probe } from '../../../playbooks/model/index.ts';
import { type NativeStacksData, nativeStacks } from '../../../playbooks/probes/native-stacks.ts';
import { parseFixture } from '../../support/fixture.ts';
import { endProcesses, startPython, untilState, whileTraced } from '../../support/live-process.ts';
import { canChangeRoot, startInOtherRoot } from '../../support/other-root.ts';
import { expectSoundOnDamaged } from '../../support/parser-safety.ts';
import { runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';
import { canHideTools, withoutTools } from '../../support/without-tools.ts';

const seen = (name: string): { data: NativeStacksData; partly: readonly string[] } => {
  const parsed = parseFixture(nativeStacks, name);
  if (!parsed.ok) throw new Error(`${name}: ${parsed.why}`);
  return { data: parsed.data, partly: parsed.partly ?? [] };
};

const functions = (data: NativeStacksData): (string | null)[][] =>
  data.threads.map((thread) => thread.frames.map((frame) => frame.function));

describe('command', () => {
  it('hands two numbers and the script for gdb on', () => {
    expect(nativeStacks.command(stepFor(nativeStacks, { pid: 5, options: { frames: 9 } }))).toEqual({
      argv: ['sh', '{script:native-stacks.sh}', '5', '9', '{script:ptrace-guard.sh}', '{script:native-stacks.gdb.py}'],
      scripts: ['native-stacks.sh', 'ptrace-guard.sh', 'native-stacks.gdb.py'],
    });
  });
});

describe('recorded and written runs', () => {
  it('reads eu-stack', () => {
    const { data, partly } = seen('eu-stack-0.188-blocked');
    expect(data.tool).toBe('eu-stack');
    expect(partly).toEqual([]);
    expect(data.threads).toHaveLength(5);
    expect(data.threads[0]).toMatchObject({ at: 3 });
    expect(data.threads[0]?.frames[0]).toMatchObject({
      function: '__poll',
      module: '/usr/lib/x86_64-linux-gnu/libc.so.6',
      at: 4,
    });
    // Symbol versions and the compiler's suffixes are no part of a function's name.
    expect(functions(data)[2]?.slice(0, 2)).toEqual(['clock_nanosleep', 'time_sleep']);
  });

  it('reads the same stacks from gdb', () => {
    const addresses = (name: string) =>
      seen(name).data.threads.map((thread) => thread.frames.slice(0, 6).map((frame) => frame.address));
    expect(seen('gdb-13-blocked').data.tool).toBe('gdb');
    expect(addresses('gdb-13-blocked')).toEqual(addresses('eu-stack-0.188-blocked'));
    expect(seen('gdb-13-blocked').partly).toEqual(['5 threads have more frames than are shown']);
    expect(seen('gdb-13-blocked').data.threads[0]?.frames[1]).toMatchObject({
      function: null,
      module: '/usr/bin/python3.11',
    });
  });

  it('reads C++ names whatever is in them', () => {
    const { data } = seen('eu-stack-0.188-cpp');
    expect(data.threads[0]?.frames[0]).toMatchObject({
      function: 'app::Pool<unsigned long>::operator-(int) const',
      module: expect.stringMatching(/^\//),
    });
    expect(data.threads[1]?.frames[8]).toMatchObject({ function: null, module: expect.stringMatching(/libstdc/) });
  });

  it('reads what is there of stacks that could not be unwound', () => {
    const { data, partly } = seen('eu-stack-0.176-partial');
    expect(functions(data)).toEqual([['__vdso_gettimeofday', 'time', 'work'], ['pthread_cond_wait', null], []]);
    expect(data.threads[0]?.frames[0]?.module).toBe('[vdso: 900]');
    expect(data.threads[1]?.frames[1]).toMatchObject({ module: null, address: '0x00007f3d4c0081c2' });
    expect(partly).toEqual(['the stacks of 1 threads could not be read']);
  });

  it('reads an executable that was deleted, and one in another root', () => {
    expect(seen('eu-stack-0.188-deleted').data.threads[0]?.frames[1]).toMatchObject({
      function: 'select_poll_poll',
      module: '/srv/app/interp',
    });
    expect(functions(seen('gdb-13-chroot').data)[0]).toContain('_PyEval_EvalFrameDefault');
  });

  it.each([
    ['no-tools', 'missing-tool', /eu-stack or gdb/],
    ['no-gdb-chroot', 'missing-tool', /other files than the process sees/],
    ['gdb-without-python', 'missing-tool', /no Python/],
    ['no-permission', 'no-permission', /root/],
    ['already-traced', 'failed', /already traced by process \d+/],
    ['gone', 'target-gone', /had ended/],
  ])('%s is no observation', (name, reason, why) => {
    expect(parseFixture(nativeStacks, name)).toEqual({ ok: false, reason, why: expect.stringMatching(why) });
  });

  it('never throws, and never answers with data that its own schema refuses', () => expectSoundOnDamaged(nativeStacks));
});

const PROGRAM = `
import threading, time
for _ in range(3):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
print("ready", flush=True)
while True: pass
`;

describe('real processes', () => {
  afterEach(endProcesses);

  const look = async (pid: number, probe: Probe<NativeStacksData> = nativeStacks) => {
    const before = await processState(pid);
    const run = await runProbe(probe, { pid });
    await expectUnhurt(pid, before);
    return { ...run, data: run.parsed.ok ? run.parsed.data : null };
  };

  const expectStacks = (data: NativeStacksData | null, pid: number): void => {
    const tasks = readdirSync(`/proc/${pid}/task`)
      .map(Number)
      .sort((a, b) => a - b);
    expect(data?.threads.map((thread) => thread.tid).sort((a, b) => a - b)).toEqual(tasks);
    for (const thread of data?.threads ?? []) {
      const names = thread.frames.map((frame) => frame.function);
      expect(names, `thread ${thread.tid}`).toContain('_PyEval_EvalFrameDefault');
    }
    const modules = data?.threads.flatMap((thread) => thread.frames.map((frame) => frame.module));
    expect(modules).toEqual(expect.arrayContaining([expect.stringMatching(/libc\b.*\.so/)]));
  };

  it('sees every thread that /proc sees', async () => {
    const live = await startPython(PROGRAM);
    const { data, parsed } = await look(live.pid);
    expect(data?.tool, JSON.stringify(parsed).slice(0, 300)).toBe('eu-stack');
    expectStacks(data, live.pid);
  });

  it.runIf(canHideTools())('sees them with gdb alone', async () => {
    const live = await startPython(PROGRAM);
    const { data } = await look(live.pid, withoutTools(nativeStacks, ['eu-stack']));
    expect(data?.tool).toBe('gdb');
    expectStacks(data, live.pid);
  });

  it.runIf(canChangeRoot())('reads a process in another root by its own files', async () => {
    const live = await startInOtherRoot(PROGRAM);
    const { data, parsed } = await look(live.pid);
    expect(data?.tool, JSON.stringify(parsed).slice(0, 300)).toBe('gdb');
    expectStacks(data, live.pid);
  });

  it.each(['eu-stack', 'gdb'])('leaves a stopped process stopped (%s)', async (tool) => {
    if (tool === 'gdb' && !canHideTools()) return;
    const live = await startPython(PROGRAM);
    live.child.kill('SIGSTOP');
    await untilState(live.pid, 'T');
    const { data } = await look(live.pid, tool === 'gdb' ? withoutTools(nativeStacks, ['eu-stack']) : nativeStacks);
    expect(data?.tool).toBe(tool);
  });

  it('refuses a process that another tool traces, and says which', async () => {
    const live = await startPython('import time\nprint("ready")\ntime.sleep(1000)');
    await whileTraced(live.pid, async (tracer) => {
      const { parsed } = await runProbe(nativeStacks, { pid: live.pid });
      expect(parsed).toMatchObject({ ok: false, reason: 'failed', why: expect.stringContaining(`process ${tracer}`) });
    });
  });

  it.runIf(process.getuid?.() === 0)('says that it was not permitted', async () => {
    const live = await startPython('import time\nprint("ready")\ntime.sleep(1000)');
    const before = await processState(live.pid);
    const { parsed } = await runProbe(nativeStacks, { pid: live.pid, uid: 65_534 });
    await expectUnhurt(live.pid, before);
    expect(parsed).toMatchObject({ ok: false, reason: 'no-permission' });
  });

  it.runIf(canHideTools())('says which tools are missing', async () => {
    const live = await startPython('import time\nprint("ready")\ntime.sleep(1000)');
    const { parsed, evidence } = await look(live.pid, withoutTools(nativeStacks, ['eu-stack', 'gdb']));
    expect(parsed).toMatchObject({ ok: false, reason: 'missing-tool' });
    expect(evidence.exit).toBe(127);
  });
});
