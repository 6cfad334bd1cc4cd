import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Probe } from '../../../playbooks/model/index.ts';
import { type PyBtData, pyBt } from '../../../playbooks/probes/py-bt.ts';
import { endProcesses, type LiveProcess, startPython, untilState, whileTraced } from '../../support/live-process.ts';
import { canChangeRoot, startInOtherRoot } from '../../support/other-root.ts';
import { runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';
import { canHideTools, withoutTools } from '../../support/without-tools.ts';

describe('command', () => {
  it('asks for local variables only when told to', () => {
    const argv = (options: Record<string, unknown>) =>
      pyBt.command(stepFor(pyBt, { pid: 5, options })).argv.slice(0, 5);
    expect(argv({})).toEqual(['sh', '{script:py-bt.sh}', '5', '0', '5']);
    expect(argv({ locals: true, seconds: 2 })).toEqual(['sh', '{script:py-bt.sh}', '5', '1', '2']);
    const { argv: words, scripts } = pyBt.command(stepFor(pyBt, { pid: 5 }));
    expect(scripts).toEqual([
      'py-bt.sh',
      'ptrace-guard.sh',
      'py-bt-symbols.gdb.py',
      'py-bt-frames.gdb.py',
      'py-bt.gdb.py',
    ]);
    expect(words.slice(5)).toEqual(scripts?.slice(1).map((name) => `{script:${name}}`));
  });
});

/** Interpreters with debug information and CPython's helper for gdb, as far as this machine has them. */
const interpreters = (() => {
  const root = join(process.env.PYENV_ROOT ?? join(process.env.HOME ?? '/', '.pyenv'), 'versions');
  const built = existsSync(root) ? readdirSync(root).map((version) => join(root, version, 'bin', 'python')) : [];
  const withHelper = (python: string): boolean => {
    const real = spawnSync('readlink', ['-f', python]).stdout.toString().trim();
    return [real, `/usr/share/gdb/auto-load${real}`].some((path) => existsSync(`${path}-gdb.py`));
  };
  return ['/usr/bin/python3', ...built].filter((python) => existsSync(python) && withHelper(python));
})();

/** Says with its own words where each of its threads is, innermost frame last, and then stays there. */
const PROGRAM = `
import json, os, signal, sys, threading, time, traceback

class Service(object):
    def on_usr1(self, signum, frame):
        self.stay(json)
    def stay(self, module):
        while True:
            time.sleep(0.1)

def fetch(n):
    if n:
        return fetch(n - 1)
    threading.Event().wait(10000)

def rows():
    while True:
        time.sleep(10000)
        yield 1

def consume():
    for row in rows():
        pass

for target, args in ((fetch, (4,)), (consume, ())):
    worker = threading.Thread(target=target, args=args)
    worker.daemon = True
    worker.start()

def say():
    time.sleep(0.3)
    me = threading.current_thread().ident
    stacks = [[(f[0], f[1], f[2]) for f in traceback.extract_stack(frame)]
              for ident, frame in sys._current_frames().items() if ident != me]
    print("own " + json.dumps(stacks))
    sys.stdout.flush()

signal.signal(signal.SIGUSR1, Service().on_usr1)
speaker = threading.Thread(target=say)
speaker.start()
print("ready")
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGUSR1)
time.sleep(10000)
`;

type OwnStack = [file: string, line: number, name: string][];

describe('real processes', () => {
  const folders: string[] = [];
  afterEach(async () => {
    await endProcesses();
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  const look = async (pid: number, probe: Probe<PyBtData> = pyBt, options: Record<string, unknown> = {}) => {
    const before = await processState(pid);
    const run = await runProbe(probe, { pid, options });
    await expectUnhurt(pid, before);
    return {
      ...run,
      data: run.parsed.ok ? run.parsed.data : null,
      partly: run.parsed.ok ? run.parsed.partly : undefined,
    };
  };

  const ownStacks = async (live: LiveProcess): Promise<OwnStack[]> =>
    (JSON.parse((await live.line(/^own /)).slice(4)) as OwnStack[]).map((stack) => stack.reverse());

  const key = (stack: readonly (readonly [string, number, string])[]): string =>
    stack.map(([file, line, name]) => `${file}:${line}:${name.replace(/^.*\./, '')}`).join(' < ');

  it.each(interpreters)('sees what the process says of itself: %s', async (python) => {
    const live = await startPython(PROGRAM, [], { python });
    const own = await ownStacks(live);
    const { data, parsed } = await look(live.pid);
    const read = data?.threads
      .filter((thread) => thread.frames.length > 0)
      .map((thread) => thread.frames.map((frame) => [frame.file, frame.line, frame.function] as const));
    expect(read?.map(key).sort(), JSON.stringify(parsed).slice(0, 400)).toEqual(own.map(key).sort());
    const main = data?.threads.find((thread) => thread.tid === live.pid);
    expect(main?.frames.map((frame) => frame.signal)).toEqual([null, 10, null]);
    expect(main?.frames.map((frame) => frame.firstLine)).toEqual([7, 5, expect.any(Number)]);
    const tasks = readdirSync(`/proc/${live.pid}/task`)
      .map(Number)
      .sort((a, b) => a - b);
    expect(data?.threads.map((thread) => thread.tid).sort((a, b) => a - b)).toEqual(tasks);
    expect(data?.stoppedMs).toEqual(expect.any(Number));
  });

  const [python] = interpreters;
  if (python === undefined) return;

  it('shows local variables on request, each in its line', async () => {
    const source =
      'import time\ndef f(secret):\n    print("ready")\n    time.sleep(1000)\nf("a\\n    File \\"x\\", line 1, in g")';
    const live = await startPython(source, [], { python });
    await untilState(live.pid, 'S');
    const { data, evidence } = await look(live.pid, pyBt, { locals: true });
    expect(Buffer.from(evidence.stdout).toString()).toMatch(/^ {8}secret = .*a.*n {4}File/m);
    expect(data?.threads[0]?.frames.map((frame) => frame.function)).toEqual(['f', '<module>']);
  });

  it('leaves a stopped process stopped', async () => {
    const live = await startPython('import time\nprint("ready")\nwhile True: time.sleep(0.01)', [], { python });
    live.child.kill('SIGSTOP');
    await untilState(live.pid, 'T');
    const { data } = await look(live.pid);
    expect(data?.pythonFrames).toBe(true);
  });

  it.runIf(canHideTools())('does without eu-stack', async () => {
    const live = await startPython(PROGRAM, [], { python });
    const own = await ownStacks(live);
    const { data } = await look(live.pid, withoutTools(pyBt, ['eu-stack']));
    expect(data?.threads.filter((thread) => thread.frames.length > 0)).toHaveLength(own.length);
  });

  it('runs no helper that somebody else could have written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'straceback-helper-'));
    folders.push(folder);
    chmodSync(folder, 0o777);
    const real = spawnSync('readlink', ['-f', '/usr/bin/python3']).stdout.toString().trim();
    const name = real.slice(real.lastIndexOf('/') + 1);
    copyFileSync(real, join(folder, name));
    const mark = join(folder, 'ran');
    writeFileSync(join(folder, `${name}-gdb.py`), `open(${JSON.stringify(mark)}, "w").close()\n`);
    const live = await startPython('import time\nprint("ready")\ntime.sleep(1000)', [], { python: join(folder, name) });
    const { evidence } = await look(live.pid);
    expect(existsSync(mark)).toBe(false);
    // The helper of the same version that the distribution brought is used instead, where there is one.
    expect(Buffer.from(evidence.stdout).toString()).toMatch(
      /^== (?:helper: \/usr\/|no helper: .*can be written by others)/m,
    );
  });

  it.runIf(canChangeRoot())(
    'runs no helper of another root, and still reads its frames where the host has one',
    async () => {
      const live = await startInOtherRoot('import time\ndef f():\n    print("ready")\n    time.sleep(1000)\nf()');
      await untilState(live.pid, 'S');
      const { data, parsed } = await look(live.pid);
      const names = data?.threads[0]?.native.map((frame) => frame.function);
      expect(names, JSON.stringify(parsed).slice(0, 400)).toContain('_PyEval_EvalFrameDefault');
      if (data?.pythonFrames) expect(data.threads[0]?.frames.map((frame) => frame.function)).toEqual(['f', '<module>']);
    },
  );

  it('refuses a process that another tool traces, and says which', async () => {
    const live = await startPython('import time\nprint("ready")\ntime.sleep(1000)');
    await whileTraced(live.pid, async (tracer) => {
      const { parsed } = await runProbe(pyBt, { pid: live.pid });
      expect(parsed).toMatchObject({ ok: false, reason: 'failed', why: expect.stringContaining(`process ${tracer}`) });
    });
  });

  it.runIf(process.getuid?.() === 0)('says that it was not permitted', async () => {
    const live = await startPython('import time\nprint("ready")\ntime.sleep(1000)');
    const before = await processState(live.pid);
    const { parsed } = await runProbe(pyBt, { pid: live.pid, uid: 65_534 });
    await expectUnhurt(live.pid, before);
    expect(parsed).toMatchObject({ ok: false, reason: 'no-permission' });
  });

  it.runIf(canHideTools())('says that gdb is missing', async () => {
    const live = await startPython('import time\nprint("ready")\ntime.sleep(1000)');
    const { parsed, evidence } = await look(live.pid, withoutTools(pyBt, ['gdb']));
    expect(parsed).toMatchObject({ ok: false, reason: 'missing-tool' });
    expect(evidence.exit).toBe(127);
  });
});
