import { mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Parsed } from '../../../playbooks/model/index.ts';
import { LogTailData, logTail } from '../../../playbooks/probes/log-tail.ts';
import { endProcesses, startPython } from '../../support/live-process.ts';
import { expectNeverThrows, fixture, fixtureFolder, fixtureNames } from '../../support/parser-safety.ts';
import { evidenceFrom, type RunProbeOptions, runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

const folders: string[] = [];

afterEach(async () => {
  await endProcesses();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const dataOf = (parsed: Parsed<LogTailData>): LogTailData => {
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.why}`);
  return LogTailData.parse(parsed.data);
};

const WRITER = `
import os, sys
logs = [open(path, 'ab', buffering=0) for path in sys.argv[1:]]
print('ready', flush=True)
for line in sys.stdin:
    logs[0].write(line.rstrip('\\n').encode().decode('unicode_escape').encode('latin-1')); print('ok', flush=True)
`;

const startWriter = async (name = 'app "1".log') => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'log-tail-test-')));
  folders.push(folder);
  const log = join(folder, name);
  const live = await startPython(WRITER, [log]);
  const write = async (text: string) => {
    live.say(JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"'));
    await live.line(/^ok/);
  };
  return { live, log, write };
};

const look = async (pid: number, more: Partial<RunProbeOptions> = {}) => {
  const before = await processState(pid);
  const run = await runProbe(logTail, { pid, ...more });
  await expectUnhurt(pid, before);
  return run;
};

/** Lines as the programs write them, and the kind that each is. */
const KNOWN: readonly (readonly [string, string])[] = [
  ['DAMN ! worker 3 (pid: 4711) died, killed by signal 11 :( trying respawn ...', 'worker-died'],
  ['[2026-11-21 19:11:38 +0000] [77] [ERROR] Worker (pid:78) was sent SIGSEGV!', 'worker-died'],
  ['[2026-11-21 19:11:38 +0000] [77] [WARNING] Worker with pid 90 was terminated due to signal 6', 'worker-died'],
  ["Process 'ForkPoolWorker-1' pid:123 exited with 'signal 11 (SIGSEGV)'", 'worker-died'],
  ['INFO exited: web (terminated by SIGSEGV (core dumped); not expected)', 'worker-died'],
  ['2026-11-21 19:12:00,123 ERROR worker 55 exited with code -11', 'worker-died'],
  ['!!! uWSGI process 123 got Segmentation Fault !!!', 'segfault'],
  ['[CRITICAL] WORKER TIMEOUT (pid:12)', 'worker-timeout'],
  ['Fatal Python error: GC object already tracked', 'refcount'],
  ['Fatal Python error: Segmentation fault', 'fatal-python'],
  ['double free or corruption (out)', 'heap'],
  ['OSError: [Errno 24] Too many open files', 'files'],
  ['OSError: [Errno 28] No space left on device', 'disk'],
  ['sqlite3.OperationalError: database is locked', 'database'],
  ["RuntimeError: can't start new thread", 'threads'],
  ['MemoryError', 'memory'],
];

describe('log-tail on live processes', () => {
  it('carries known trouble, with file, place and kind, and nothing else', async () => {
    const { live, log, write } = await startWriter();
    await write('2026-11-21 10:00:00 INFO signed in as secret-name, signal handlers are set\n');
    for (const [line] of KNOWN) await write(`${line}\n`);
    const { parsed, evidence } = await look(live.pid);
    const data = dataOf(parsed);
    expect(data.lines.map((line) => [line.text, line.kind])).toEqual(KNOWN);
    expect(Buffer.from(evidence.stdout).toString()).not.toContain('secret-name');
    expect(data.files).toMatchObject([{ path: log, bytes: statSync(log).size }]);
    const bytes = readFileSync(log);
    for (const line of data.lines) expect(bytes.subarray(line.offset).toString().startsWith(line.text)).toBe(true);
    expect(data.lines[1]?.time).toBe(Date.UTC(2026, 10, 21, 19, 11, 38) / 1000);
  });

  it('counts tracebacks by what ended them, and keeps faulthandler’s frames', async () => {
    const { live, write } = await startWriter();
    const traceback =
      'Traceback (most recent call last):\n  File "a.py", line 3, in f\n    g(x)\nshop.Refused: for customer 17\n';
    await write(traceback + traceback);
    await write(
      'Fatal Python error: Aborted\n\nCurrent thread 0x00007f (most recent call first):\n  File "/srv/x.py", line 3 in f\n\nprivate\n',
    );
    const { parsed, evidence } = await look(live.pid);
    const data = dataOf(parsed);
    expect(data.tracebacks).toMatchObject([{ exception: 'shop.Refused', times: 2 }]);
    expect(data.lines.map((line) => line.kind)).toEqual(['fatal-python', 'detail', 'detail']);
    expect(Buffer.from(evidence.stdout).toString()).not.toMatch(/customer 17|private/);
  });

  it('reads the end of a long log only, and what is asked for', async () => {
    const { live, write } = await startWriter();
    await write('worker 17 died, signal 11\n');
    for (let round = 0; round < 8; round++) await write('x'.repeat(63).concat('\n').repeat(700));
    await write('order 4711 went out\nworker 18 died, signal 6\n');
    const data = dataOf((await look(live.pid, { options: { pattern: 'order \\d+' } })).parsed);
    expect(data.lines.map((line) => [line.kind, line.text])).toEqual([
      ['asked', 'order 4711 went out'],
      ['worker-died', 'worker 18 died, signal 6'],
    ]);
    expect(data.files[0]?.from).toBeGreaterThan(0);
    expect((await look(live.pid, { options: { pattern: '(' } })).parsed).toMatchObject({ ok: false, reason: 'failed' });
  });

  it('keeps hostile names and lines on their lines', async () => {
    const { live, log, write } = await startWriter('a "b"\nline 1 @ 0 disk time 4: "x".log');
    await write('\u0000 worker 1 died, signal 11\nworker 19 died, \u001b[31msignal 11 "\\\n');
    const data = dataOf((await look(live.pid)).parsed);
    expect(data.files.map((file) => file.path)).toEqual([log]);
    expect(data.lines).toHaveLength(1);
    expect(data.lines[0]?.text).toContain('\u001b[31msignal 11 "');
  });

  it('does not wait for a pipe, nor read what was only opened for reading', async () => {
    const source =
      'import os, sys\nos.mkfifo(sys.argv[1]); fd = os.open(sys.argv[1], os.O_RDWR); f = open("/etc/passwd")\nprint("ready", flush=True); sys.stdin.read()';
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'log-tail-test-')));
    folders.push(folder);
    const live = await startPython(source, [join(folder, 'pipe')]);
    const data = dataOf((await look(live.pid)).parsed);
    expect(data.files.map((file) => file.path)).not.toContain('/etc/passwd');
    expect(data.files.map((file) => file.path)).not.toContain(join(folder, 'pipe'));
    expect(data.elsewhere).toBe(true);
  });

  it.skipIf(process.getuid?.() !== 0)('tells a stranger that it may not see files', async () => {
    const { live } = await startWriter();
    expect((await look(live.pid, { uid: 65534 })).parsed).toMatchObject({ ok: false, reason: 'no-permission' });
    expect((await look(live.pid, { startTime: '17' })).parsed).toMatchObject({ reason: 'target-gone' });
  });
});

describe('log-tail on recorded hosts', () => {
  it('never throws', () => {
    expectNeverThrows(
      logTail,
      fixtureNames('log-tail').map((name) => fixture('log-tail', name)),
    );
  });

  it.each(fixtureNames('log-tail'))('reads %s as its golden answer', async (name) => {
    const parsed = logTail.parse(evidenceFrom('log-tail', fixture('log-tail', name)), stepFor(logTail, { pid: 1 }));
    if (parsed.ok) LogTailData.parse(parsed.data);
    const golden = join(fixtureFolder('log-tail'), name.replace(/txt$/, 'golden'));
    await expect(`${JSON.stringify(parsed, null, 2)}\n`).toMatchFileSnapshot(golden);
  });
});
