import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { SampleData, sample } from '../../../playbooks/probes/sample.ts';
import { endProcesses, startPython, untilState } from '../../support/live-process.ts';
import { expectNeverThrows, fixture, fixtureFolder, fixtureNames } from '../../support/parser-safety.ts';
import { evidenceFrom, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';
import { dataOf, look, partly, threadOf } from './sample.parts.ts';

const root = process.getuid?.() === 0;
const undo: (() => void)[] = [];

afterEach(async () => {
  await endProcesses();
  for (const step of undo.splice(0).reverse()) step();
});

/** A main thread that spins once it has said so, one in recv, one in flock, one that sleeps, one that waits for a lock. */
const MANY_WAITS = `
import ctypes, fcntl, os, socket, sys, threading, time
path = sys.argv[1]
holder = open(path, 'w'); fcntl.flock(holder, fcntl.LOCK_EX)
waiter = open(path, 'w')
here, there = socket.socketpair()
lock = threading.Lock(); lock.acquire()
tids = {}
def run(name, work):
    def body():
        tids[name] = ctypes.CDLL(None).gettid() if hasattr(ctypes.CDLL(None), 'gettid') else threading.get_native_id()
        work()
    threading.Thread(target=body, daemon=True).start()
run('flock', lambda: fcntl.flock(waiter, fcntl.LOCK_EX))
run('recv', lambda: here.recv(10))
run('sleep', lambda: time.sleep(1000))
run('lock', lambda: lock.acquire())
while len(tids) < 4: time.sleep(0.001)
def asleep(tid):
    return open('/proc/self/task/%d/stat' % tid).read().rsplit(')', 1)[1].split()[0] == 'S'
while not all(asleep(tid) for tid in tids.values()): time.sleep(0.001)
print('ready', *['%s=%d' % item for item in tids.items()], here.fileno(), flush=True)
print('tids', *['%s=%d' % item for item in tids.items()], flush=True)
while True: pass
`;

const startManyWaits = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sample-test-'));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'the lock\nfile');
  const live = await startPython(MANY_WAITS, [path]);
  const line = await live.line(/^tids/);
  const tid = (name: string) => Number(new RegExp(`\\b${name}=(\\d+)`).exec(line)?.[1]);
  return { ...live, tid, path };
};

describe('sample on live processes', () => {
  it('asks for Python, or for sh where there is none', () => {
    const run = { pid: 77, startTime: '123', windowSeconds: 3 };
    expect(sample.command(stepFor(sample, { ...run, known: { python: '/usr/bin/python3.9' } }))).toEqual({
      argv: [
        '/usr/bin/python3.9',
        '-I',
        '-S',
        '-B',
        '{script:sample.py}',
        '77',
        '123',
        '3',
        '512',
        '{script:sample.syscalls}',
      ],
      scripts: [
        'sample.py',
        'proc_watch.py',
        'libc_words.py',
        'mutex_words.py',
        'cpu_groups.py',
        'proc_files.py',
        'syscall_table.py',
        'sample.syscalls',
      ],
    });
    expect(sample.command(stepFor(sample, { ...run, known: { python: null } }))).toEqual({
      argv: ['sh', '{script:sample.sh}', '77', '123', '3', '64', '{script:sample.syscalls}'],
      scripts: ['sample.sh', 'sample.syscalls'],
    });
  });

  it.each([
    ['python', {}],
    ['sh', { known: { python: null } }],
  ])('sees what each thread waits for (%s)', async (_, known) => {
    const live = await startManyWaits();
    const before = await processState(live.pid);
    const { parsed, evidence } = await look(live.pid, known);
    const data = dataOf(parsed);
    expect(partly(parsed)).toBe('');
    expect(data.threads).toHaveLength(5);
    expect(data.samples).toBeGreaterThan(1);
    expect(data.ticksPerSecond).toBe(100);

    const main = threadOf(data, live.pid);
    expect(main.syscalls[0]?.name).toBe('running');
    expect(main.states.R).toBeGreaterThan(0);
    expect(main.userSeconds).toBeGreaterThan(0);
    expect(data.process.userSeconds).toBeGreaterThan(0);

    const expected: Record<string, { call: RegExp; fd: string | null }> = {
      flock: { call: /^flock$/, fd: live.path.replace('\n', '\\n') },
      recv: { call: /^recvfrom$/, fd: readlinkSync(`/proc/${live.pid}/fd/5`) },
      sleep: { call: /^(clock_nanosleep|select|pselect6)$/, fd: null },
      lock: { call: /^futex$/, fd: null },
    };
    for (const [name, { call, fd }] of Object.entries(expected)) {
      const thread = threadOf(data, live.tid(name));
      expect(thread.syscalls.map((entry) => entry.name).join(), name).toMatch(call);
      expect(thread.syscalls[0]?.count).toBe(thread.samples);
      expect(thread.syscalls[0]?.args).toHaveLength(6);
      expect(thread.syscalls[0]?.fd, name).toBe(fd);
      expect(thread.states.S).toBe(thread.samples);
      expect(thread.wchans[0]?.count).toBe(thread.samples);
      if (root) expect(thread.kernelStack.length, name).toBeGreaterThan(2);
    }
    const line = Buffer.from(evidence.stdout).toString().split('\n');
    const quoted = threadOf(data, live.tid('flock')).syscalls[0];
    expect(line[(quoted?.at ?? 0) - 1]).toContain(`thread ${live.tid('flock')} in flock `);
    await expectUnhurt(live.pid, before);
  });

  it('says whose mutex or read-write lock a thread waits for', async () => {
    // PTHREAD_MUTEX_RECURSIVE and PTHREAD_PRIO_INHERIT are 1 in glibc's pthread.h.
    const live = await startPython(`
import ctypes, threading
libc = ctypes.CDLL(None)
libc.gettid.restype = ctypes.c_int
plain, recursive, inheriting, rw, kind = [ctypes.create_string_buffer(128) for _ in range(5)]
libc.pthread_mutexattr_init(kind); libc.pthread_mutexattr_settype(kind, 1); libc.pthread_mutex_init(recursive, kind)
libc.pthread_mutexattr_init(kind); libc.pthread_mutexattr_setprotocol(kind, 1); libc.pthread_mutex_init(inheriting, kind)
print('ready')
tids, taken = {}, threading.Event()
def own():
    tids['owner'] = libc.gettid()
    for mutex in (plain, recursive, recursive, inheriting): libc.pthread_mutex_lock(mutex)
    libc.pthread_rwlock_wrlock(rw)
    taken.set()
    threading.Event().wait()
def want(name, lock, what):
    tids[name] = libc.gettid()
    lock(what)
threading.Thread(target=own, daemon=True).start()
taken.wait()
for name, lock, what in (('plain', libc.pthread_mutex_lock, plain), ('recursive', libc.pthread_mutex_lock, recursive),
                         ('inheriting', libc.pthread_mutex_lock, inheriting), ('reader', libc.pthread_rwlock_rdlock, rw)):
    threading.Thread(target=want, args=(name, lock, what), daemon=True).start()
while len(tids) < 5: pass
print('tids', *('%s=%d' % each for each in tids.items()), flush=True)
threading.Event().wait()
`);
    const line = await live.line(/^tids/);
    const tid = (name: string): number => Number(new RegExp(` ${name}=(\\d+)`).exec(line)?.[1]);
    for (const name of ['plain', 'recursive', 'inheriting', 'reader', 'owner']) await untilState(tid(name), 'S');
    const data = dataOf((await look(live.pid, { windowSeconds: 1.5 })).parsed);
    for (const name of ['plain', 'recursive', 'inheriting', 'reader']) {
      expect(threadOf(data, tid(name)).mutex, name).toMatchObject({ ownerTid: tid('owner'), blocked: [] });
    }
    expect(threadOf(data, tid('owner')).mutex).toBeUndefined();
    expect(threadOf(data, live.pid).mutex).toBeUndefined();
  });

  it('sees memory, reading, writing and descriptors change', async () => {
    const live = await startPython(
      `import os, sys, time
print('ready', flush=True)
kept, files = [], []
while True:
    kept.append(bytearray(300000)); files.append(open('/dev/null', 'wb', 0)); files[-1].write(b'x' * 100)
    if len(files) > 500: files.clear()
    if len(kept) > 2000: time.sleep(1000)
    time.sleep(0.005)`,
    );
    const { process: seen } = dataOf((await look(live.pid)).parsed);
    expect(seen.rssKib.last).toBeGreaterThan(seen.rssKib.first);
    expect(seen.rssKib.max).toBeGreaterThanOrEqual(seen.rssKib.last);
    expect(seen.minorFaults).toBeGreaterThan(0);
    expect(seen.io?.wchar).toBeGreaterThan(0);
    expect(seen.fds?.last).not.toBe(seen.fds?.first);
  });

  it('sees a stopped process', async () => {
    const live = await startPython('import sys; print("ready", flush=True); sys.stdin.read()');
    process.kill(live.pid, 'SIGSTOP');
    await untilState(live.pid, 'T');
    const thread = threadOf(dataOf((await look(live.pid)).parsed), live.pid);
    expect(thread.states).toEqual({ T: thread.samples });
  });

  it.skipIf(!root).each([
    ['python', {}],
    ['sh', { known: { python: null } }],
  ])('shows a stranger only states and CPU, and says so (%s)', async (_, known) => {
    const live = await startPython('import time; print("ready", flush=True); time.sleep(1000)');
    const { parsed } = await look(live.pid, { uid: 65534, ...known });
    const data = dataOf(parsed);
    const thread = threadOf(data, live.pid);
    expect(thread.syscalls).toMatchObject([{ name: '?', count: thread.samples, args: [], fd: null }]);
    expect(thread.states).toEqual({ S: thread.samples });
    expect(thread.kernelStack).toEqual([]);
    expect(data.process).toMatchObject({ io: null, fds: null });
    expect(data.process.rssKib.first).toBeGreaterThan(0);
    expect(partly(parsed)).toMatch(/not readable: system calls of 1 threads/);
  });

  const pythons = ['3.6.15', '3.13.0'].map((version) => `${process.env.HOME}/.pyenv/versions/${version}/bin/python3`);
  it.skipIf(!pythons.every(existsSync)).each(pythons)('runs on %s', async (python) => {
    const live = await startPython('import time; print("ready", flush=True); time.sleep(1000)');
    const { parsed } = await look(live.pid, { known: { python } });
    expect(threadOf(dataOf(parsed), live.pid).states.S).toBeGreaterThan(0);
  });

  const cpuRoot = ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup'].find((folder) => existsSync(join(folder, 'cgroup.procs')));
  const v1 = cpuRoot?.endsWith('/cpu') ?? false;
  const throttles =
    root &&
    cpuRoot !== undefined &&
    (v1 || readFileSync(join(cpuRoot, 'cgroup.subtree_control'), 'latin1').includes('cpu'));
  it.skipIf(!throttles)('sees a control group that is throttled', async () => {
    const folder = join(cpuRoot ?? '', `straceback-test-${process.pid}`);
    mkdirSync(folder);
    undo.push(() => rmdirSync(folder));
    writeFileSync(join(folder, v1 ? 'cpu.cfs_quota_us' : 'cpu.max'), v1 ? '5000' : '5000 100000');
    const live = await startPython('import sys\nprint("ready", flush=True)\nsys.stdin.readline()\nwhile True: pass');
    writeFileSync(join(folder, 'cgroup.procs'), String(live.pid));
    live.say('spin');
    for (const known of [{}, { known: { python: null } }]) {
      const { throttled } = dataOf((await look(live.pid, { windowSeconds: 1.5, ...known })).parsed);
      expect(throttled?.throttledPeriods).toBeGreaterThan(0);
      expect(throttled?.seconds).toBeGreaterThan(0);
    }
  });
});

describe('sample on recorded windows', () => {
  it('never throws', () => {
    expectNeverThrows(
      sample,
      fixtureNames('sample').map((name) => fixture('sample', name)),
    );
  });

  it.each(fixtureNames('sample'))('reads %s as its golden answer', async (name) => {
    const parsed = sample.parse(evidenceFrom('sample', fixture('sample', name)), stepFor(sample, { pid: 1 }));
    if (parsed.ok) SampleData.parse(parsed.data);
    const golden = join(fixtureFolder('sample'), name.replace(/txt$/, 'golden'));
    await expect(`${JSON.stringify(parsed, null, 2)}\n`).toMatchFileSnapshot(golden);
  });
});
