import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import type { Selector } from '../../../playbooks/model/index.ts';
import { findProcesses } from '../../../workers/finding/find.ts';
import type { HostShell } from '../../../workers/ssh/shell.ts';
import { endProcesses, startProcess, startPython } from '../../support/live-process.ts';
import { waysToAShell, withoutPython } from '../../support/shells.ts';
import { endSshd } from '../../support/sshd.ts';

afterEach(endProcesses);

const folder = mkdtempSync(path.join(tmpdir(), 'straceback-finding-'));
afterAll(async () => {
  await endSshd();
  rmSync(folder, { recursive: true, force: true });
});

const ways: readonly (readonly [string, () => Promise<HostShell>])[] = [
  ...waysToAShell,
  ['a machine without Python', withoutPython],
];

const LISTENER = `
import os, socket, sys
server = socket.create_server(('127.0.0.1', 0))
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        import signal
        signal.pause()
print('ready', server.getsockname()[1], flush=True)
sys.stdin.read()
os.killpg(0, 9)
`;

const findWith = (open: () => Promise<HostShell>) => async (selector: Selector) => {
  const found = await findProcesses('web-7', selector, { openShell: open });
  if (found.kind === 'failure') throw new Error(found.failure.sentence);
  return found;
};

/** A listener with so many forked children, in a process group of its own that ends with it. */
const startListener = async (children: number, name: string) => {
  const file = path.join(folder, name);
  writeFileSync(file, LISTENER);
  const live = await startProcess('/usr/bin/python3', ['-u', file, String(children)], { detached: true });
  const port = Number((await live.line(/^ready/)).split(' ')[1]);
  return { live, port };
};

describe.each(ways)('through %s', (_, open) => {
  const find = findWith(open);

  test('a listener is found by its port, its script’s name and its pid', async () => {
    const { live, port } = await startListener(0, 'price_board.py');
    const byPort = await find({ kind: 'port', port });
    expect(byPort.pick).toMatchObject({
      pid: live.pid,
      ports: [port],
      user: 'root',
      name: 'python3',
      parent: process.pid,
    });
    expect(byPort.how).toBe(`It is the only process that listens on port ${port}.`);
    expect(byPort.pick?.command).toBe(`/usr/bin/python3 -u ${path.join(folder, 'price_board.py')} 0`);
    expect(byPort.pick?.rssKib).toBeGreaterThan(2_000);
    expect(byPort.pick?.fds).toBeGreaterThan(3);
    const byName = await find({ kind: 'name', pattern: 'price_board' });
    expect(byName.candidates.map(({ pid }) => pid)).toEqual([live.pid]);
    expect(byName.pick?.startTime).toBe(byPort.pick?.startTime);
    live.say('');
    live.child.stdin?.end();
  });

  test('a pre-fork server is a master and its workers, and nobody is picked', async () => {
    const { live, port } = await startListener(3, 'till_server.py');
    const found = await find({ kind: 'port', port });
    expect(found.total).toBe(4);
    expect(found.candidates.map(({ role }) => role)).toEqual(['master', 'worker', 'worker', 'worker']);
    expect(found.candidates[0]?.pid).toBe(live.pid);
    expect(found.pick).toBeNull();
    expect(found.likely?.role).toBe('worker');
    live.child.stdin?.end();
    await live.line(/never/).catch(() => undefined);
  });

  test('names with newlines, brackets, escapes and broken characters are read as they are', async () => {
    const words = ['-u', '-c', 'import time; print("ready", flush=True); time.sleep(600)'];
    const named = ['a\nb c', 'x) S 1 1 1', '\u001b[2Jp 1 R', '\\n', '=\u0002end', '\u202etxt'];
    const live = await startProcess('/usr/bin/python3', [...words, ...named], { argv0: 'od(d) 1\np 1' });
    await live.line(/^ready/);
    const found = await find({ kind: 'pid', pid: live.pid });
    expect(found.pick?.command).toContain('x) S 1 1 1 \\x1b[2Jp 1 R');
    expect(found.pick?.command).toContain('a\\nb c');
    expect(found.pick?.command).toContain('\\xe2\\x80\\xaetxt');
    expect(found.pick?.command).toMatch(/^od\(d\) 1\\np 1 -u -c/);
    expect(found.pick?.parent).toBe(process.pid);
  });

  test('the busiest process is found by what it uses now', async () => {
    const busy = await startPython('print("ready", flush=True)\nwhile True: pass');
    const found = await find({ kind: 'top', by: 'cpu' });
    const pids = found.candidates.slice(0, 8).map(({ pid }) => pid);
    expect(pids).toContain(busy.pid);
    expect(found.pick?.cpuPercent).toBeGreaterThan(20);
    expect(found.how).toMatch(/^Of [\d,]+ processes it uses the most CPU: [\d.]+ % of one CPU\.$/);
  });
});

const local = findWith(waysToAShell[0]?.[1] ?? withoutPython);

test('the most memory and the most descriptors', async () => {
  const live = await startPython(
    'import os\nheld = bytearray(700_000_000)\nfds = [os.dup(0) for _ in range(900)]\nprint("ready", flush=True)\ninput()',
  );
  expect((await local({ kind: 'top', by: 'rss' })).candidates.slice(0, 5).map(({ pid }) => pid)).toContain(live.pid);
  const fds = await local({ kind: 'top', by: 'fds' });
  expect(fds.candidates.slice(0, 5).find(({ pid }) => pid === live.pid)?.fds).toBeGreaterThan(900);
});

test('none: what is near is said', async () => {
  const { live, port } = await startListener(0, 'quote_cache.py');
  const other = await local({ kind: 'port', port: port === 1 ? 2 : 1 });
  expect(other).toMatchObject({ candidates: [], total: 0, pick: null, likely: null });
  expect(other.near).toMatch(/^Listened on are the ports /);
  expect((await local({ kind: 'name', pattern: 'qoute_cache' })).near).toContain('`quote_cache`');
  expect((await local({ kind: 'container', id: 'abcdef' })).near).toMatch(/[cC]ontainer/);
  expect((await local({ kind: 'unit', name: 'no-such-thing' })).near).not.toBe('');
  live.child.stdin?.end();
});

test('a process that has ended and waits for its parent is not offered', async () => {
  const live = await startPython(
    'import os, sys\npid = os.fork()\nif pid == 0: os._exit(0)\nos.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)\nprint("ready", pid, flush=True)\nprint("child", pid, flush=True)\nsys.stdin.read()',
  );
  const zombie = Number((await live.line(/^child/)).split(' ')[1]);
  expect((await local({ kind: 'pid', pid: zombie })).pick).toBeNull();
});

test('secrets of command lines stay on the worker', async () => {
  const live = await startPython('print("ready", flush=True)\ninput()', ['--db-password', 'hunter22', '--plain']);
  const found = await local({ kind: 'pid', pid: live.pid });
  expect(found.pick?.command).toContain('--db-password [redacted-1] --plain');
});

test('a listener in a network namespace of its own is found by its port there', async (context) => {
  try {
    execFileSync('unshare', ['-n', 'true'], { stdio: 'ignore' });
  } catch {
    context.skip();
  }
  const file = path.join(folder, 'inner_board.py');
  writeFileSync(file, LISTENER.replace("'127.0.0.1'", "'0.0.0.0'"));
  const live = await startProcess('unshare', ['-n', '/usr/bin/python3', '-u', file, '0'], { detached: true });
  const port = Number((await live.line(/^ready/)).split(' ')[1]);
  const found = await local({ kind: 'port', port });
  expect(found.candidates.map(({ pid }) => pid)).toEqual([live.pid]);
  live.child.stdin?.end();
});

test('the start time is the kernel’s', async () => {
  const live = await startPython('print("ready", flush=True)\ninput()');
  const stat = execFileSync('cat', [`/proc/${live.pid}/stat`], { encoding: 'latin1' });
  const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  expect((await local({ kind: 'pid', pid: live.pid })).pick?.startTime).toBe(startTime);
});

/** systemd's own hierarchy, or the only one. */
const HIERARCHY = existsSync('/sys/fs/cgroup/systemd/cgroup.procs') ? '/sys/fs/cgroup/systemd' : '/sys/fs/cgroup';

/** Puts a process into a control group as systemd would name it; null where that cannot be done. */
const joinGroup = (pid: number, ...segments: string[]): (() => Promise<void>) | null => {
  const folders = segments.map((_, index) => path.join(HIERARCHY, ...segments.slice(0, index + 1)));
  try {
    for (const each of folders) mkdirSync(each);
    writeFileSync(path.join(folders.at(-1) ?? '', 'cgroup.procs'), String(pid));
  } catch {
    for (const each of folders.reverse()) if (existsSync(each)) rmdirSync(each);
    return null;
  }
  return async () => {
    await endProcesses();
    for (const each of folders.reverse()) {
      // A process that has just ended may still be on its way out of the group.
      await expect.poll(() => (existsSync(each) ? removed(each) : true), { timeout: 20_000 }).toBe(true);
    }
  };
};

const removed = (group: string): boolean => {
  try {
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
};

test('a process is found by its systemd unit and by the container that it is in', async (context) => {
  const live = await startPython('print("ready", flush=True)\ninput()');
  const id = randomBytes(32).toString('hex');
  const slice = `straceback-${id.slice(0, 8)}.slice`;
  const leave = joinGroup(live.pid, slice, `docker-${id}.scope`, `till-${id.slice(0, 6)}@north.service`, 'deep');
  if (leave === null) context.skip();
  try {
    const byUnit = await local({ kind: 'unit', name: `till-${id.slice(0, 6)}` });
    expect(byUnit.pick).toMatchObject({
      pid: live.pid,
      unit: `till-${id.slice(0, 6)}@north.service`,
      container: id,
    });
    expect((await local({ kind: 'unit', name: slice })).pick?.pid).toBe(live.pid);
    expect((await local({ kind: 'container', id: id.slice(0, 12) })).pick?.pid).toBe(live.pid);
    expect((await findWith(withoutPython)({ kind: 'container', id })).pick?.pid).toBe(live.pid);
    const near = await local({ kind: 'unit', name: `till-${id.slice(0, 6)}@nroth` });
    expect(near.near).toContain(`till-${id.slice(0, 6)}@north.service`);
  } finally {
    await leave?.();
  }
});
