import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { hostLookup } from '../../../infra/hosts.ts';
import { closeConnections, openShell } from '../../../workers/ssh/shell.ts';
import { endProcesses, startProcess, startPython, stateOf, untilState } from '../../support/live-process.ts';
import { opensshHost } from '../../support/openssh.ts';
import { folderOf, openIn, step, waysToAShell } from '../../support/shells.ts';
import { endSshd, testSshd, testWire } from '../../support/sshd.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';
import { until } from '../../support/until.ts';

/** Four threads that do a little all the time, so that a stop or a tracer would show. */
const BUSY = `
import threading, time
def work():
    while True: time.sleep(0.005)
for _ in range(3): threading.Thread(target=work, daemon=True).start()
print("ready")
work()`;

/** Attaches to every thread of a process and dies of it: ptrace(2) then leaves the SIGSTOP of PTRACE_ATTACH behind. */
const ATTACH_AND_DIE = `
import ctypes, os, signal, sys
libc = ctypes.CDLL(None)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
for tid in os.listdir("/proc/%s/task" % sys.argv[1]):
    libc.ptrace(16, int(tid), None, None)
os.kill(os.getpid(), signal.SIGKILL)`;

const tracerOf = (pid: number): number =>
  Number(/^TracerPid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);

const isGone = (pid: number): boolean => 'ZX'.includes(stateOf(pid) ?? 'X');

const startTarget = async () => {
  const { pid } = await startPython(BUSY);
  const before = await processState(pid);
  return { pid, before, target: { pid, startTime: before.startTime } };
};

type Target = Awaited<ReturnType<typeof startTarget>>;

const strace = ({ pid, target }: Target) =>
  step(['strace', '-f', '-o', '/dev/null', '-p', `${pid}`], { ptraces: true, target, seconds: 60 });

/** Everything that must be so after a look that was cut off: no tracer, no folder, and the target as it was. */
const expectAllOver = async ({ pid, before }: Target, tracer: number, folder: string): Promise<void> => {
  await until('the tracer has ended', () => isGone(tracer));
  await until('the folder is gone', () => !existsSync(folder));
  await until('the target runs', () => tracerOf(pid) === 0 && 'RS'.includes(stateOf(pid) ?? 'X'));
  await expectUnhurt(pid, before);
};

afterEach(async () => {
  await closeConnections();
  await endProcesses();
  await endSshd();
});

describe.each(waysToAShell)('a target that is traced through %s', (_, open) => {
  test('runs on when its tracer is ended at its time limit', async () => {
    const shell = await open();
    const target = await startTarget();
    const result = await shell.run({ ...strace(target), seconds: 1 });
    expect(result).toMatchObject({ end: 'timed-out' });
    await expectUnhurt(target.pid, target.before);
    await shell.close();
  });

  test('runs on when a debugger dies in the middle of attaching', async () => {
    const shell = await open();
    const target = await startTarget();
    const scripts = [{ name: 'attach.py', content: ATTACH_AND_DIE }];
    const argv = ['python3', '{script:attach.py}', `${target.pid}`];
    const result = await shell.run(step(argv, { scripts, target: target.target, ptraces: true }));
    expect(result).toMatchObject({ end: 'exited', exit: 137 });
    await expectUnhurt(target.pid, target.before);
    await shell.close();
  });

  test('stays stopped when it was stopped before the look', async () => {
    const shell = await open();
    const target = await startTarget();
    process.kill(target.pid, 'SIGSTOP');
    await untilState(target.pid, 'T');
    const before = await processState(target.pid);
    const scripts = [{ name: 'attach.py', content: ATTACH_AND_DIE }];
    const argv = ['python3', '{script:attach.py}', `${target.pid}`];
    await shell.run(step(argv, { scripts, target: target.target, ptraces: true }));
    await shell.close();
    await expectUnhurt(target.pid, before);
    expect(stateOf(target.pid)).toBe('T');
  });

  test('runs on when gdb is killed while it holds it', async () => {
    const shell = await open();
    const target = await startTarget();
    const hold = ['gdb', '-nx', '-batch', '-p', `${target.pid}`, '-ex', 'shell sleep 60'];
    const result = await shell.run(step(hold, { target: target.target, ptraces: true, seconds: 2, endWith: 'KILL' }));
    expect(result).toMatchObject({ end: 'timed-out' });
    await expectUnhurt(target.pid, target.before);
    await shell.close();
  });

  test('runs on, untraced, when the shell is closed in the middle', async () => {
    const shell = await open();
    const target = await startTarget();
    const folder = await folderOf(shell);
    void shell.run(strace(target));
    const tracer = await until('strace is attached', () => tracerOf(target.pid) || null);
    await shell.close();
    await expectAllOver(target, tracer, folder);
  });
});

describe.each(['node-ssh', 'openssh'] as const)('a connection of %s that is cut', (transport) => {
  const openThroughWire = async () => {
    const sshd = await testSshd();
    const wire = await testWire(sshd.port);
    const known = readFileSync(sshd.knownHostsFile, 'utf8').replaceAll(`:${sshd.port} `, `:${wire.port} `);
    writeFileSync(sshd.knownHostsFile, known);
    const changes = { port: wire.port };
    const host = transport === 'openssh' ? opensshHost(sshd, 'web-7', changes) : sshd.host('web-7', changes);
    return { wire, host, shell: await openShell(host, hostLookup([])) };
  };

  test('while strace is attached: it ends, the target runs on untraced, nothing is left', async () => {
    const { wire, shell } = await openThroughWire();
    const target = await startTarget();
    const folder = await folderOf(shell);
    const run = shell.run(strace(target));
    const other = shell.run(step(['sleep', '60']));
    const tracer = await until('strace is attached', () => tracerOf(target.pid) || null);
    wire.cut();
    expect(await run).toMatchObject({ end: 'connection-lost', exit: null });
    expect(await other).toMatchObject({ end: 'connection-lost', exit: null });
    await expectAllOver(target, tracer, folder);
    await shell.close();
  });

  test('while gdb holds the target: it is let go', async () => {
    const { wire, shell } = await openThroughWire();
    const target = await startTarget();
    const folder = await folderOf(shell);
    const hold = ['gdb', '-nx', '-batch', '-p', `${target.pid}`, '-ex', 'shell sleep 60'];
    const run = shell.run(step(hold, { target: target.target, ptraces: true, endWith: 'KILL' }));
    const tracer = await until('gdb is attached', () => tracerOf(target.pid) || null);
    wire.cut();
    expect(await run).toMatchObject({ end: 'connection-lost' });
    await expectAllOver(target, tracer, folder);
    await shell.close();
  });

  test('is replaced by a new one for the next look', async () => {
    const { wire, host, shell } = await openThroughWire();
    wire.cut();
    expect(await shell.run(step(['true']))).toMatchObject({ end: 'connection-lost' });
    const next = await openShell(host, hostLookup([]));
    expect(await next.run(step(['true']))).toMatchObject({ end: 'exited', exit: 0 });
    await next.close();
  });

  test('without anybody being told: no step is waited for beyond its limit, and the next look gets a new one', async () => {
    const { wire, host } = await openThroughWire();
    const shell = await openShell(host, hostLookup([]), { graceMs: 100, closeMs: 100 });
    wire.swallow();
    expect(await shell.run(step(['true'], { seconds: 1 }))).toMatchObject({ exit: null });
    await shell.close();
    wire.cut();
    const next = await openShell(host, hostLookup([]));
    expect(await next.run(step(['true']))).toMatchObject({ end: 'exited', exit: 0 });
    await next.close();
  });
});

describe('a worker that is killed', () => {
  const WORKER = `
import { hostLookup, localHost } from '${new URL('../../../infra/hosts.ts', import.meta.url)}';
import { openShell } from '${new URL('../../../workers/ssh/shell.ts', import.meta.url)}';
const shell = await openShell(localHost(), hostLookup([]));
const step = JSON.parse(process.argv[2]);
const where = await shell.run({ ...step, argv: ['pwd'], target: null, ptraces: false });
console.log('folder ' + Buffer.from(where.stdout).toString().trim());
await shell.run(step);`;

  test('takes its tools with it: the tracer ends, the target runs on, nothing is left', async () => {
    const target = await startTarget();
    const loader = fileURLToPath(new URL('../../support/typescript-loader.mjs', import.meta.url));
    const folder = mkdtempSync(join(tmpdir(), 'straceback-worker-'));
    const file = `${folder}/worker.mjs`;
    writeFileSync(file, WORKER);
    try {
      const worker = await startProcess(process.execPath, ['--import', loader, file, JSON.stringify(strace(target))]);
      const [, itsFolder = ''] = (await worker.line(/^folder /)).split(' ');
      expect(existsSync(itsFolder)).toBe(true);
      const tracer = await until('strace is attached', () => tracerOf(target.pid) || null);
      worker.child.kill('SIGKILL');
      await expectAllOver(target, tracer, itsFolder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('a runner that is killed', () => {
  test.each(['SIGKILL', 'SIGTERM', 'SIGHUP'] as const)(
    'by %s: its steps end by their own limit, and what it wrote goes away',
    async (signal) => {
      const target = await startTarget();
      const shell = await openIn('sh', ['-s']);
      const folder = await folderOf(shell);
      const run = shell.run({ ...strace(target), seconds: 3 });
      const tracer = await until('strace is attached', () => tracerOf(target.pid) || null);
      process.kill(sessionOf(tracer), signal);
      expect(await run).toMatchObject({ end: 'timed-out' });
      await expectAllOver(target, tracer, folder);
      await shell.close();
    },
  );

  test('with everything else in its session, as at a forced logout: the target runs on, nothing is left', async () => {
    const target = await startTarget();
    const shell = await openIn('sh', ['-s']);
    const folder = await folderOf(shell);
    const run = shell.run(strace(target));
    const tracer = await until('strace is attached', () => tracerOf(target.pid) || null);
    const session = sessionOf(tracer);
    for (const pid of readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)) {
      if (stateOf(pid) !== null && sessionOf(pid) === session) process.kill(pid, 'SIGTERM');
    }
    expect(await run).toMatchObject({ end: 'connection-lost' });
    await expectAllOver(target, tracer, folder);
    await shell.close();
  });
});

/** Field 6 of /proc/PID/stat: the runner leads the session that its steps are in. */
const sessionOf = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]);
};
