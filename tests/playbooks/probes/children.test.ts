import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Parsed } from '../../../playbooks/model/index.ts';
import { ChildrenData, children } from '../../../playbooks/probes/children.ts';
import { endProcesses, startPython, untilState } from '../../support/live-process.ts';
import { expectNeverThrows, fixture, fixtureFolder, fixtureNames } from '../../support/parser-safety.ts';
import { evidenceFrom, type RunProbeOptions, runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

afterEach(endProcesses);

const look = (pid: number, more: Partial<RunProbeOptions> = {}) =>
  runProbe(children, { pid, windowSeconds: 0.5, ...more });

const dataOf = (parsed: Parsed<ChildrenData>): ChildrenData => {
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.why}`);
  return ChildrenData.parse(parsed.data);
};

/**
 * A parent that waits for a child which fills a pipe, with a forked child that reads another pipe, two dead ones and ten
 * threads; children end when the parent does. Its own signals: SIGUSR1 caught, SIGHUP ignored.
 */
const FAMILY = `
import ctypes, os, signal, subprocess, sys, threading, time
die = ctypes.CDLL(None).prctl
with_me = lambda: die(1, signal.SIGKILL)
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
reading, writing = os.pipe()
forked = os.fork()
if forked == 0:
    with_me(); os.close(writing); os.read(reading, 1); os._exit(0)
dead = [subprocess.Popen(['/bin/sh', '-c', 'exit 3']), subprocess.Popen(['/bin/sh', '-c', 'kill -9 $$'])]
for child in dead:
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
filler = subprocess.Popen([sys.executable, '-c', 'import os; os.write(1, b"x" * 1000000)', 'odd\\nname'],
                          stdout=subprocess.PIPE, preexec_fn=with_me)
for _ in range(10):
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
print('ready', forked, filler.pid, reading, writing, flush=True)
filler.wait()
`;

const startFamily = async () => {
  const live = await startPython(FAMILY.replace("print('ready'", "print('ready')\nprint('family'"));
  const [, forked = 0, filler = 0, reading = 0, writing = 0] = (await live.line(/^family/)).split(' ').map(Number);
  await untilState(live.pid, 'S');
  await untilState(forked, 'S');
  await untilState(filler, 'S');
  return { pid: live.pid, forked, filler, reading, writing };
};

describe('children of a live process', () => {
  it('says what they are, what they wait in and who has which end of their pipes', async () => {
    const family = await startFamily();
    // The pipe is full when its writer sleeps in the write; starting Python sleeps elsewhere before.
    let data = dataOf((await look(family.pid)).parsed);
    const before = await processState(family.pid);
    const writes = () =>
      data.processes.find((each) => each.pid === family.filler)?.threads[0]?.syscall === 'write' &&
      data.processes.find((each) => each.pid === family.filler)?.threads[0]?.same;
    while (!writes()) data = dataOf((await look(family.pid)).parsed);
    const by = new Map(data.processes.map((each) => [each.pid, each]));
    const [target, forked, filler] = [by.get(family.pid), by.get(family.forked), by.get(family.filler)];

    expect(target).toMatchObject({ relation: 'target', states: ['S', 'S'], threadCount: 11, depth: 0 });
    expect(target?.threads.find((each) => each.tid === family.pid)).toMatchObject({
      syscall: 'wait4',
      same: true,
      woke: 0,
    });
    expect(Number(target?.threads[0]?.args[0])).toBe(family.filler);
    expect(BigInt(`0x${target?.signals?.caught}`) & 0x200n).toBe(0x200n);
    expect(BigInt(`0x${target?.signals?.ignored}`) & 1n).toBe(1n);
    expect(target?.moved).toEqual({ read: 0, wrote: 0, reads: 0, writes: 0 });

    expect(forked).toMatchObject({ relation: 'descendant', depth: 1, parent: family.pid, origin: 'forked' });
    expect(forked?.threads[0]).toMatchObject({ syscall: 'read', same: true, woke: 0 });
    const own = target?.pipes.find((each) => each.fd === family.writing);
    expect(own?.end).toBe('write');
    expect(forked?.pipes.filter((each) => each.inode === own?.inode).map((each) => [each.fd, each.end])).toEqual([
      [family.reading, 'read'],
    ]);
    expect(forked?.threads[0]?.fd).toBe(`pipe:[${own?.inode}]`);

    expect(filler).toMatchObject({ origin: 'executed', depth: 1 });
    expect(filler?.command).toContain('odd\\nname');
    const full = filler?.pipes.find((each) => each.fd === 1);
    expect(full?.end).toBe('write');
    expect(target?.pipes.filter((each) => each.inode === full?.inode).map((each) => each.end)).toEqual(['read']);
    expect(filler?.threads[0]?.wchan).toMatch(/pipe_w/);

    expect(data.zombies).toMatchObject({ first: 2, last: 2, stayed: 2 });
    expect(data.zombies.shown.map((each) => each.ending).toSorted()).toEqual(['signal 9', 'status 3']);
    expect(data.threads).toMatchObject({ first: 11, last: 11, started: 0, ended: 0 });
    expect(data.threads.ages).toHaveLength(11);
    expect(data.limits?.stackBytes).toBeGreaterThan(0);
    expect(by.get(process.pid)?.relation).toBe('parent');
    await expectUnhurt(family.pid, before);
  });

  it('says what its epoll descriptors watch', async () => {
    const live = await startPython(`
import os, select
reading, writing = os.pipe()
again = os.dup(reading)
watching, empty = select.epoll(), select.epoll()
watching.register(reading, select.EPOLLIN)
watching.register(again, select.EPOLLIN)
os.dup2(os.open('/dev/null', os.O_RDONLY), again)
print('ready', flush=True)
print('numbers', watching.fileno(), empty.fileno(), reading, again, flush=True)
watching.poll()
`);
    const [, watching, empty, reading, again] = (await live.line(/^numbers/)).split(' ').map(Number);
    await untilState(live.pid, 'S');
    const data = dataOf((await look(live.pid)).parsed);
    const target = data.processes.find((each) => each.pid === live.pid);
    const inode = target?.pipes.find((each) => each.fd === reading)?.inode;
    expect(target?.epolls).toEqual([
      // A number that has become another file is still watched as the pipe, as long as that is open elsewhere.
      expect.objectContaining({
        fd: watching,
        watches: 2,
        shown: [
          { fd: reading, target: `pipe:[${inode}]` },
          { fd: again, target: '/dev/null' },
        ],
      }),
      expect.objectContaining({ fd: empty, watches: 0, shown: [] }),
    ]);
  });

  it('sees it from the child’s side too', async () => {
    const family = await startFamily();
    const data = dataOf((await look(family.filler)).parsed);
    const relations = new Map(data.processes.map((each) => [each.pid, each.relation]));
    expect(relations.get(family.filler)).toBe('target');
    expect(relations.get(family.pid)).toBe('parent');
    expect(relations.get(family.forked)).toBe('sibling');
  });

  it('finds who is no relative and holds a pipe of which the end is waited for', async () => {
    const live = await startPython(`
import os, subprocess, sys
service = 'while kill -0 %d 2>/dev/null; do sleep 0.2; done' % os.getpid()
child = subprocess.Popen(['sh', '-c', '(' + service + ') & echo $!'], stdout=subprocess.PIPE)
print('ready'); print('service', child.stdout.readline().decode())
os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
print('dead', flush=True)
child.communicate()
`);
    const [, service] = (await live.line(/^service/)).split(' ').map(Number);
    await live.line(/^dead/);
    await untilState(live.pid, 'S');
    let data = dataOf((await look(live.pid)).parsed);
    // It slept elsewhere before it came to the read.
    for (let tries = 0; data.holders.length === 0 && tries < 10; tries += 1)
      data = dataOf((await look(live.pid)).parsed);
    const pipe = data.processes.find((each) => each.pid === live.pid)?.pipes.find((each) => each.end === 'read');
    expect(data.zombies.stayed).toBe(1);
    expect(data.holders).toContainEqual(expect.objectContaining({ pid: service, parent: 1, inode: pipe?.inode }));
  });

  it('looks for nobody outside when no child has ended and no pipe is read', async () => {
    const live = await startPython('import time; print("ready", flush=True); time.sleep(1000)');
    expect(dataOf((await look(live.pid)).parsed).holders).toEqual([]);
  });

  it('says that a process is gone, or is another one', async () => {
    expect((await look(2 ** 22 - 1)).parsed).toMatchObject({ ok: false, reason: 'target-gone' });
    expect((await look(process.pid, { startTime: '1' })).parsed).toMatchObject({ ok: false, reason: 'target-gone' });
  });

  it.skipIf(process.getuid?.() !== 0)('says what another user may not see', async () => {
    const family = await startFamily();
    const { parsed } = await look(family.pid, { uid: 65534 });
    const target = dataOf(parsed).processes.find((each) => each.relation === 'target');
    expect(target).toMatchObject({ origin: null, moved: null, pipes: [] });
    expect(target?.threads[0]?.syscall).toBe('?');
    expect(parsed.ok && parsed.partly?.join()).toContain(`open files of process ${family.pid}`);
  });
});

describe('recorded output', () => {
  // RECORD=1 writes the fixture anew, from the family above, without the command line of the test's own process.
  it.runIf(process.env.RECORD === '1')('is recorded', async () => {
    const { evidence } = await look((await startFamily()).pid);
    mkdirSync(fixtureFolder('children'), { recursive: true });
    const text = Buffer.from(evidence.stdout)
      .toString()
      .replace(/"node", .*/g, '"node", node runner.js');
    writeFileSync(join(fixtureFolder('children'), 'python3.11-linux6.txt'), text);
  });

  it.each(fixtureNames('children'))('%s is read whole', (name) => {
    const parsed = children.parse(evidenceFrom('children', fixture('children', name)), stepFor(children, { pid: 1 }));
    const data = dataOf(parsed);
    expect(parsed.ok && parsed.partly).toEqual([]);
    expect(data.processes.filter((each) => each.relation === 'descendant')).toHaveLength(2);
    const lines = fixture('children', name).toString().split('\n');
    for (const person of data.processes) {
      expect(lines[person.at - 1]).toMatch(new RegExp(`^process ${person.pid}: ${person.relation}`));
      for (const thread of person.threads) expect(lines[thread.at - 1]).toContain(` thread ${thread.tid}: `);
      for (const pipe of person.pipes) expect(lines[pipe.at - 1]).toContain(` pipe ${pipe.inode}: fd ${pipe.fd} `);
    }
    for (const zombie of data.zombies.shown) expect(lines[zombie.at - 1]).toMatch(/^zombie \d+: /);
    expect(lines[data.threads.at - 1]).toMatch(/^threads: /);
  });

  it('that is cut says so', () => {
    const whole = fixture('children', fixtureNames('children')[0] ?? '').toString();
    const parsed = children.parse(evidenceFrom('children', whole.slice(0, -4)), stepFor(children, { pid: 1 }));
    expect(parsed.ok && parsed.partly).toEqual(['the list of relatives breaks off']);
  });

  it('never makes the parser throw', () => {
    expectNeverThrows(
      children,
      fixtureNames('children').map((name) => fixture('children', name)),
    );
  });
});
