import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Parsed } from '../../../playbooks/model/index.ts';
import { LocksData, locks } from '../../../playbooks/probes/locks.ts';
import { endProcesses, type LiveProcess, startPython, untilState } from '../../support/live-process.ts';
import { expectNeverThrows, fixture, fixtureFolder, fixtureNames } from '../../support/parser-safety.ts';
import { evidenceFrom, type RunProbeOptions, runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

const root = process.getuid?.() === 0;
const undo: (() => void)[] = [];

afterEach(async () => {
  await endProcesses();
  for (const step of undo.splice(0).reverse()) step();
});

const scratch = (): string => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'locks-test-')));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

const look = (pid: number, more: Partial<RunProbeOptions> = {}) => runProbe(locks, { pid, ...more });

const dataOf = (parsed: Parsed<LocksData>): LocksData => {
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.why}`);
  return LocksData.parse(parsed.data);
};

const partly = (parsed: Parsed<LocksData>): string => (parsed.ok ? (parsed.partly ?? []).join('; ') : parsed.why);

/** Takes a lock of one kind on the file, on a descriptor of its own, and says so; the kind's name is the first argument. */
const LOCKER = `
import fcntl, struct, sys, threading, time
kind, path = sys.argv[1:3]
whole = struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0)
take = {
    'flock': lambda file: fcntl.flock(file, fcntl.LOCK_EX),
    'posix': lambda file: fcntl.lockf(file, fcntl.LOCK_EX),
    'ofd': lambda file: fcntl.fcntl(file, 38, whole),
}[kind]
files = [open(path, 'a') for _ in range(2)]
def keep():
    take(files[0]); print('got', flush=True); sys.stdin.readline(); take(files[1]); print('again', flush=True); time.sleep(1000)
print('ready', flush=True)
keep()
`;

const startLocker = (kind: string, path: string): Promise<LiveProcess> => startPython(LOCKER, [kind, path]);

/** Waits until /proc/locks shows one more waiter for the lock kind: the kernel's own account of who is blocked. */
const untilBlocked = async (live: LiveProcess, kind: string): Promise<void> => {
  const word = { flock: 'FLOCK', posix: 'POSIX', ofd: 'OFDLCK' }[kind];
  const pid = kind === 'ofd' ? -1 : live.pid;
  const waiting = new RegExp(`-> ${word} +\\S+ +\\S+ ${pid} `);
  while (!waiting.test(readFileSync('/proc/locks', 'latin1'))) await new Promise((resolve) => setTimeout(resolve, 5));
  await untilState(live.pid, 'S');
};

describe('locks on live processes', () => {
  it('asks for Python, or for sh where there is none', () => {
    const run = { pid: 77, startTime: '123' };
    expect(locks.command(stepFor(locks, { ...run, known: { python: '/usr/bin/python3.9' } }))).toEqual({
      argv: ['/usr/bin/python3.9', '-I', '-S', '-B', '{script:locks.py}', '77', '123'],
      scripts: ['locks.py', 'open_files.py', 'lock_files.py', 'proc_files.py'],
    });
    expect(locks.command(stepFor(locks, { ...run, known: { python: null } }))).toEqual({
      argv: ['sh', '{script:locks.sh}', '77', '123'],
      scripts: ['locks.sh'],
    });
  });

  it.each(['flock', 'posix', 'ofd'])('names the holder and the waiter of a %s lock', async (kind) => {
    const path = join(scratch(), 'app "1"\n.lock');
    const holder = await startLocker(kind, path);
    await holder.line(/^got/);
    const waiter = await startLocker(kind, path);
    await untilBlocked(waiter, kind);
    const before = await processState(waiter.pid);
    const word = { flock: 'FLOCK', posix: 'POSIX', ofd: 'OFDLCK' }[kind];
    for (const pid of [waiter.pid, holder.pid]) {
      const { parsed, evidence } = await look(pid);
      const data = dataOf(parsed);
      expect(partly(parsed)).toBe('');
      expect(data.locks).toHaveLength(2);
      const shape = { kind: word, mode: 'WRITE', state: 'S', path: path.replace('\n', '\\n'), comm: 'python3' };
      expect(data.locks.find((lock) => !lock.waiting)).toMatchObject({ ...shape, pid: holder.pid });
      expect(data.locks.find((lock) => lock.waiting)).toMatchObject({ ...shape, pid: waiter.pid });
      expect(data.locks[0]?.targetFds).toEqual([3, 4]);
      expect(new Set(data.locks.map((lock) => lock.inode)).size).toBe(1);
      expect(data.locks[0]?.command).toContain(kind);
      expect(data.sharedFiles.find((file) => file.path.includes('app'))?.pids).toEqual([
        { pid: pid === waiter.pid ? holder.pid : waiter.pid, comm: 'python3' },
      ]);
      const lines = Buffer.from(evidence.stdout).toString().split('\n');
      for (const lock of data.locks) expect(lines[lock.at - 1]).toContain(`by ${lock.pid}, on ${lock.inode}`);
    }
    await expectUnhurt(waiter.pid, before);
  });

  it.each(['flock', 'ofd'])('sees a process that waits for its own %s lock', async (kind) => {
    const live = await startLocker(kind, join(scratch(), 'own.lock'));
    await live.line(/^got/);
    live.say('again');
    await untilBlocked(live, kind);
    const data = dataOf((await look(live.pid)).parsed);
    expect(data.locks.map((lock) => [lock.waiting, lock.pid])).toEqual([
      [false, live.pid],
      [true, live.pid],
    ]);
  });

  it('names a stopped holder as stopped', async () => {
    const path = join(scratch(), 'stopped.lock');
    const holder = await startLocker('flock', path);
    await holder.line(/^got/);
    process.kill(holder.pid, 'SIGSTOP');
    await untilState(holder.pid, 'T');
    const waiter = await startLocker('flock', path);
    await untilBlocked(waiter, 'flock');
    const held = dataOf((await look(waiter.pid)).parsed).locks.find((lock) => !lock.waiting);
    expect(held).toMatchObject({ pid: holder.pid, state: 'T' });
  });

  it('names who inherited a lock from a process that has ended', async () => {
    const path = join(scratch(), 'inherited.lock');
    const outer = await startPython(
      `import fcntl, os, sys, time
file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX)
parent = os.getpid()
if os.fork() == 0:
    while os.getppid() == parent: time.sleep(0.001)
    print('heir', os.getpid(), flush=True)
    time.sleep(1000)
print('ready', flush=True)
os._exit(0)`,
      [path],
    );
    const heir = Number((await outer.line(/^heir/)).split(' ')[1]);
    undo.push(() => process.kill(heir, 'SIGKILL'));
    const waiter = await startLocker('flock', path);
    await untilBlocked(waiter, 'flock');
    const held = dataOf((await look(waiter.pid)).parsed).locks.filter((lock) => !lock.waiting);
    expect(held).toMatchObject([{ pid: heir, comm: 'python3', state: 'S' }]);
  });

  const pythons = ['3.6.15', '3.13.0'].map((version) => `${process.env.HOME}/.pyenv/versions/${version}/bin/python3`);
  it.skipIf(!pythons.every(existsSync)).each(pythons)('runs on %s', async (python) => {
    const path = join(scratch(), 'app.lock');
    const live = await startLocker('flock', path);
    await live.line(/^got/);
    const data = dataOf((await look(live.pid, { known: { python } })).parsed);
    expect(data.locks).toMatchObject([{ pid: live.pid, path, waiting: false }]);
  });

  it('leaves out locks that do not concern the process', async () => {
    const folder = scratch();
    const stranger = await startLocker('flock', join(folder, 'a'));
    await stranger.line(/^got/);
    const live = await startPython('import sys; print("ready", flush=True); sys.stdin.read()');
    const data = dataOf((await look(live.pid)).parsed);
    expect(data.locks).toEqual([]);
  });

  it('finds who else writes to a file without any lock', async () => {
    const log = join(scratch(), 'app.log');
    const source = `import sys; file = open(sys.argv[1], 'a'); print('ready', flush=True); sys.stdin.read()`;
    const [one, two, three] = await Promise.all([1, 2, 3].map(() => startPython(source, [log])));
    const data = dataOf((await look(one?.pid ?? 0)).parsed);
    const pids = data.sharedFiles.find((file) => file.path === log)?.pids.map((sharer) => sharer.pid);
    expect(pids).toEqual([two?.pid, three?.pid].sort((a, b) => Number(a) - Number(b)));
  });

  it.each(['flock', 'posix'])('does without Python for %s locks, and says what that costs', async (kind) => {
    const path = join(scratch(), 'plain "x"\n.lock');
    const holder = await startLocker(kind, path);
    await holder.line(/^got/);
    const waiter = await startLocker(kind, path);
    await untilBlocked(waiter, kind);
    const withPython = dataOf((await look(waiter.pid)).parsed);
    const { parsed } = await look(waiter.pid, { known: { python: null } });
    const strip = (data: LocksData) => data.locks.map((lock) => ({ ...lock, at: 0 }));
    expect(strip(dataOf(parsed))).toEqual(strip(withPython));
    expect(partly(parsed)).toContain('there is no Python on the host');
  });

  it.skipIf(!root)('matches locks on an overlay, where stat shows another device', async () => {
    const folder = scratch();
    for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(join(folder, name));
    const merged = join(folder, 'merged');
    const layers = `lowerdir=${folder}/lower,upperdir=${folder}/upper,workdir=${folder}/work`;
    const mount = spawnSync('mount', ['-t', 'overlay', 'overlay', '-o', layers, merged], { encoding: 'utf8' });
    if (mount.status !== 0) return expect(mount.stderr, 'this kernel mounts no overlay').toMatch(/overlay|mount/);
    undo.push(() => spawnSync('umount', [merged]));
    const holder = await startLocker('flock', join(merged, 'app.lock'));
    await holder.line(/^got/);
    const waiter = await startLocker('flock', join(merged, 'app.lock'));
    await untilBlocked(waiter, 'flock');
    const data = dataOf((await look(waiter.pid)).parsed);
    expect(data.locks.map((lock) => [lock.pid, lock.path])).toEqual([
      [holder.pid, join(merged, 'app.lock')],
      [waiter.pid, join(merged, 'app.lock')],
    ]);
    await endProcesses();
  });

  it.skipIf(!root).each([
    ['python', {}],
    ['sh', { known: { python: null } }],
  ])('tells a stranger that it may not see files (%s)', async (_, known) => {
    const live = await startPython('import sys; print("ready", flush=True); sys.stdin.read()');
    const { parsed } = await look(live.pid, { uid: 65534, ...known });
    expect(parsed).toMatchObject({ ok: false, reason: 'no-permission' });
    const locker = await startLocker('flock', join(scratch(), 'x'));
    await locker.line(/^got/);
    const own = await look(locker.pid, { uid: 65534, ...known });
    expect(dataOf(own.parsed).locks).toMatchObject([{ pid: locker.pid, path: null, targetFds: [] }]);
    expect(partly(own.parsed)).toContain(`not readable: open files of process ${locker.pid}`);
  });

  it.each([
    ['python', {}],
    ['sh', { known: { python: null } }],
  ])('does not mistake a successor for the process (%s)', async (_, known) => {
    const live = await startPython('import sys; print("ready", flush=True); sys.stdin.read()');
    expect((await look(live.pid, { startTime: '17', ...known })).parsed).toMatchObject({ reason: 'target-gone' });
    await endProcesses();
    expect((await look(live.pid, { startTime: '17', ...known })).parsed).toMatchObject({ reason: 'target-gone' });
  });
});

describe('locks on recorded hosts', () => {
  it('never throws', () => {
    expectNeverThrows(
      locks,
      fixtureNames('locks').map((name) => fixture('locks', name)),
    );
  });

  it.each(fixtureNames('locks'))('reads %s as its golden answer', async (name) => {
    const parsed = locks.parse(evidenceFrom('locks', fixture('locks', name)), stepFor(locks, { pid: 5292 }));
    if (parsed.ok) LocksData.parse(parsed.data);
    const golden = join(fixtureFolder('locks'), name.replace(/txt$/, 'golden'));
    await expect(`${JSON.stringify(parsed, null, 2)}\n`).toMatchFileSnapshot(golden);
  });
});

it('finds files that serve as locks by being there, and whose they are', async () => {
  const folder = scratch();
  mkdirSync(join(folder, 'in-use'));
  const maker = await startPython(
    `
import os
open('job.lock', 'w').write('%d\\n' % os.getpid())
kept = open('other.lock', 'w')
open('in-use/owner', 'w').write('pid=%d' % os.getpid())
open('stale.pid', 'w').write('4194304\\n')
open('poem.lock', 'w').write('roses are red')
os.symlink('web-1:%d' % os.getpid(), 'profile.lock')
os.mkfifo('pipe.lock')
print('ready', flush=True)
input()
`,
    [],
    { cwd: folder },
  );
  const waiter = await startPython("print('ready', flush=True); input()", [], { cwd: folder });
  const before = await processState(waiter.pid);
  const { lockFiles = [] } = dataOf((await look(waiter.pid)).parsed);
  await expectUnhurt(waiter.pid, before);
  const found = (name: string) => lockFiles.filter((file) => file.path === join(folder, name));
  expect(found('job.lock')).toMatchObject([{ pid: maker.pid, how: 'names', near: true, state: 'S' }]);
  expect(found('other.lock')).toMatchObject([{ pid: maker.pid, how: 'open' }]);
  expect(found('in-use')).toMatchObject([{ pid: maker.pid, how: 'names' }]);
  expect(found('profile.lock')).toMatchObject([{ pid: maker.pid, how: 'names' }]);
  expect(found('stale.pid')).toMatchObject([{ pid: 4_194_304, state: null, comm: null }]);
  expect(found('poem.lock')).toMatchObject([{ pid: null, near: true }]);
  expect(found('pipe.lock')).toMatchObject([{ pid: null }]);
});
