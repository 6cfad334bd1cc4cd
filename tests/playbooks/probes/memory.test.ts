import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { type MemoryData, memory } from '../../../playbooks/probes/memory.ts';
import { fixtureNames, loadFixture, parseFixture } from '../../support/fixture.ts';
import { endProcesses, startPython } from '../../support/live-process.ts';
import { expectNeverThrows } from '../../support/parser-safety.ts';
import { evidenceFrom, runProbe, startTimeOf, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

const read = (name: string): MemoryData => {
  const parsed = parseFixture(memory, name);
  if (!parsed.ok) throw new Error(`${name}: ${parsed.why}`);
  return parsed.data;
};

const textOf = (name: string): string => Buffer.from(loadFixture('memory', name).evidence.stdout).toString();
const parseText = (text: string) => memory.parse(evidenceFrom('memory', text), stepFor(memory, { pid: 1 }));

describe('command', () => {
  it('is a script for the host’s Python, and one for sh where there is none', () => {
    const pid = process.pid;
    const words = [String(pid), startTimeOf(pid), '2'];
    const step = stepFor(memory, { pid, windowSeconds: 2, known: { python: '/usr/bin/python3' } });
    expect(memory.command(step)).toEqual({
      argv: ['/usr/bin/python3', '-I', '-S', '-B', '{script:memory.py}', ...words],
      scripts: ['memory.py', 'proc_files.py'],
    });
    expect(memory.command(stepFor(memory, { pid, windowSeconds: 2, known: { python: null } }))).toEqual({
      argv: ['sh', '{script:memory.sh}', ...words],
      scripts: ['memory.sh'],
    });
  });
});

describe('recorded runs', () => {
  it('tells arenas of malloc from stacks, files and the heap', () => {
    const { begin, end, seconds, curve } = read('6.18-arenas');
    expect(begin.kinds?.arena).toMatchObject({ count: 4, residentKib: 235_504 });
    expect(begin.kinds?.heap).toMatchObject({ count: 1, residentKib: 1604 });
    expect(begin.kinds?.stack.count).toBe(5);
    expect(begin.large[0]).toMatchObject({ kind: 'arena', range: '7ffa04000000-7ffa07a75000', residentKib: 59_860 });
    expect(end?.counters).toMatchObject({ residentKib: 250_180, anonymousKib: 243_340, swappedKib: 0 });
    expect(seconds).toBeGreaterThan(0.9);
    expect(curve).toHaveLength(7);
    expect(begin.group).toMatchObject({ limitBytes: null });
    const sum = Object.values(begin.kinds ?? {}).reduce((total, kind) => total + kind.residentKib, 0);
    expect(Math.abs(sum - begin.counters.residentKib)).toBeLessThan(8192);
  });

  it('reads the same counters without Python, and says that it does not divide', () => {
    const { begin, end, curve } = read('6.18-without-python');
    expect(begin.counters).toMatchObject({ residentKib: 250_180, anonymousKib: 243_340 });
    expect(begin.kinds).toBeNull();
    expect(end?.faults).toMatchObject({ major: 4 });
    expect(curve.length).toBeGreaterThan(3);
    expect(parseFixture(memory, '6.18-without-python')).toMatchObject({
      partly: [expect.stringContaining('no Python on the host')],
    });
  });

  it('says that the process had ended', () => {
    expect(parseFixture(memory, '6.18-gone')).toMatchObject({ ok: false, reason: 'target-gone' });
  });

  it('says what is missing when it ended in between, or the mappings could not be read', () => {
    const whole = textOf('6.18-arenas');
    const cut = `${whole.slice(0, whole.indexOf('at 0.62'))}gone: process 1 has ended\n`;
    expect(parseText(cut)).toMatchObject({
      ok: true,
      data: { end: null },
      partly: ['process 1 ended before its memory was read again'],
    });
    const denied = whole
      .replace(/^(begin|end) (mappings|heap|arena|anonymous|stack|file|shared|other|large).*\n/gm, '')
      .replace(/^end rollup/m, 'end missing: the mappings may be read only by root and by its own user\nend rollup');
    expect(parseText(denied)).toMatchObject({
      data: { begin: { kinds: null } },
      partly: ['of its memory the mappings may be read only by root and by its own user'],
    });
  });

  it('never throws', () => {
    const samples = fixtureNames('memory').map((name) => Buffer.from(loadFixture('memory', name).evidence.stdout));
    expectNeverThrows(memory, samples);
  });
});

const PROGRAM = `
import mmap, threading
block = bytearray(b"x") * (40 << 20)
shared = mmap.mmap(-1, 8 << 20); shared.write(b"y" * (8 << 20))
done = threading.Event()
for _ in range(3): threading.Thread(target=done.wait, daemon=True).start()
print("ready", flush=True)
more = []
for line in iter(input, "end"): more.append(bytearray(b"z") * (int(line) << 20)); print("took", flush=True)
`;

describe('real processes', () => {
  afterEach(endProcesses);

  const look = async (pid: number, known: { python?: null } = {}, onStart?: () => void) => {
    const before = await processState(pid);
    const { parsed } = await runProbe(memory, { pid, windowSeconds: 0.8, known, ...(onStart ? { onStart } : {}) });
    await expectUnhurt(pid, before);
    if (!parsed.ok) throw new Error(parsed.why);
    return parsed;
  };

  it('adds up to what the kernel says, by kind', async () => {
    const { pid } = await startPython(PROGRAM);
    const { data, partly } = await look(pid);
    expect(partly).toEqual([]);
    const kinds = data.end?.kinds;
    if (kinds === null || kinds === undefined) throw new Error('no kinds');
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const rss = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
    const sum = Object.values(kinds).reduce((total, kind) => total + kind.residentKib, 0);
    expect(Math.abs(sum - rss)).toBeLessThan(4096);
    expect(kinds.anonymous.residentKib).toBeGreaterThan(40 * 1024);
    expect(kinds.shared.residentKib).toBeGreaterThanOrEqual(8 * 1024);
    expect(kinds.stack.count).toBeGreaterThanOrEqual(4);
    expect(kinds.file.residentKib).toBeGreaterThan(2000);
  });

  it.each([{}, { python: null }])('sees memory that is taken in the window (%j)', async (known) => {
    const live = await startPython(PROGRAM);
    // Taken after the first reading: the first line of the curve follows it, but nothing tells a test so from outside.
    const { data } = await look(live.pid, known, () => setTimeout(() => live.say('30'), 400));
    const begin = data.begin.counters.anonymousKib ?? 0;
    const end = data.end?.counters.anonymousKib ?? 0;
    expect(end - begin).toBeGreaterThan(25 * 1024);
    expect((data.end?.faults?.minor ?? 0) - (data.begin.faults?.minor ?? 0)).toBeGreaterThan(0);
  });

  it.skipIf(process.getuid?.() !== 0)('says that another user’s mappings may not be read', async () => {
    const { pid } = await startPython(PROGRAM);
    const { parsed } = await runProbe(memory, { pid, windowSeconds: 0.5, uid: 65_534 });
    expect(parsed).toMatchObject({
      ok: true,
      data: { begin: { kinds: null } },
      partly: [expect.stringContaining('only by root and by its own user')],
    });
  });

  it('tells a process that is another one, or none', async () => {
    const { pid } = await startPython(PROGRAM);
    for (const known of [{}, { python: null }]) {
      const { parsed } = await runProbe(memory, { pid, startTime: '1', windowSeconds: 0.5, known });
      expect(parsed).toMatchObject({ ok: false, reason: 'target-gone' });
    }
  });
});
