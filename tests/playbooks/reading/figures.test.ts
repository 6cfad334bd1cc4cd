import { readdirSync, readlinkSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { ReportFigures } from '../../../playbooks/model/index.ts';
import { figuresOf } from '../../../playbooks/reading/figures.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { endProcesses, startPython } from '../../support/live-process.ts';
import { changedLook, loadLook, lookFrom, lookNames, takeLook } from '../../support/record-look.ts';

const probes = await loadProbes();
const figures = (name: string, without: readonly string[] = []) =>
  ReportFigures.parse(figuresOf(lookFrom(loadLook(name), probes, without)));

afterEach(endProcesses);

test('figures are those of the end of the window', () => {
  expect(figures('fd-leak/event_loops')).toMatchObject({
    cpuPercent: 0.5,
    rssKib: 19_232,
    swapKib: 0,
    threads: 1,
    fds: 224,
    sockets: 146,
    majorFaultsPerSecond: 0,
    readKibPerSecond: 0,
  });
  expect(figures('busy-loop/category_walk').cpuPercent).toBe(43);
  expect(figures('healthy/swapped_out')).toMatchObject({ rssKib: 51_332, swapKib: 122_848 });
});

test('what was not seen is absent, and what was seen once stands in for the window', () => {
  const without = figures('fd-leak/event_loops', ['sample', 'fds']);
  expect(without).toMatchObject({ rssKib: 19_156, threads: 1, sockets: 104 });
  expect(without).not.toHaveProperty('cpuPercent');
  expect(figures('fd-leak/event_loops', ['identify', 'sample', 'fds', 'sockets'])).toEqual({});
});

test('a list of sockets that is not whole gives no count', () => {
  const cut = changedLook(loadLook('fd-leak/event_loops'), 'sockets', (text) => text.replace(/^== sockets.*$/m, ''));
  expect(figuresOf(lookFrom(cut, probes, ['fds']))).not.toHaveProperty('sockets');
});

test('threads that come and go in the window are counted', () => {
  const changed = changedLook(loadLook('fd-leak/event_loops'), 'sample', (text) =>
    text.replace(/(\d+) started, (\d+) ended/, '5 started, 2 ended'),
  );
  expect(figuresOf(lookFrom(changed, probes)).threads).toBe(4);
});

test('every recorded look has figures that fit the schema', () => {
  for (const name of [...lookNames('healthy'), ...lookNames('busy-loop')])
    expect(figures(name).threads, name).toBeGreaterThan(0);
});

test('of a live process they are what it really has', async () => {
  const { pid } = await startPython(`
import os, socket, threading
held = [os.open('/dev/null', os.O_RDONLY) for _ in range(20)] + list(socket.socketpair())
stop = threading.Event()
for _ in range(6):
    threading.Thread(target=stop.wait, daemon=True).start()
block = bytearray(os.urandom(1) * (40 << 20))
print('ready')
stop.wait()
`);
  const wanted = ['identify', 'sample', 'sockets'].flatMap((id) => probes.get(id) ?? []);
  const look = await takeLook(pid, wanted, 0.5, 'a process of this test that waits');
  const seen = figuresOf(lookFrom(look, probes));
  const open = readdirSync(`/proc/${pid}/fd`);
  expect(seen).toMatchObject({ threads: 7, fds: open.length, children: 0 });
  const sockets = open.filter((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:'));
  expect(seen.sockets).toBe(sockets.length);
  expect(seen.rssKib).toBeGreaterThan(40 << 10);
  expect(seen.cpuPercent).toBeLessThan(50);
});
