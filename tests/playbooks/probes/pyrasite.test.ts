import { existsSync, readdirSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Parsed } from '../../../playbooks/model/index.ts';
import { PyrasiteData, pyrasite } from '../../../playbooks/probes/pyrasite.ts';
import { refusal } from '../../../workers/stages/plan.ts';
import { debianPythons } from '../../support/every-interpreter.ts';
import { fixtureNames, loadFixture, parseFixture } from '../../support/fixture.ts';
import { endProcesses, startPython, stateOf, untilState } from '../../support/live-process.ts';
import { expectNeverThrows } from '../../support/parser-safety.ts';
import { interpreters } from '../../support/py-stacks.ts';
import { knownHere, runProbe } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

afterEach(endProcesses);

const dataOf = (parsed: Parsed<PyrasiteData>): PyrasiteData => {
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.why}`);
  return PyrasiteData.parse(parsed.data);
};

/** Holds objects that can be counted, works and rests, and counts its turns; one number must follow another. */
const SERVICE = `
from __future__ import print_function
import gc, sys, time
class Order(object): pass
class Loud(object):
    def __sizeof__(self):
        print('asked', file=sys.stderr)
        raise KeyError('asked')
    def __getattribute__(self, name):
        print('asked', file=sys.stderr)
        raise KeyError(name)
orders = [Order() for _ in range(1234)]
loud = [Loud() for _ in range(3)]
names = set(dir())
print('ready'); sys.stdout.flush()
number = 0
while True:
    number += 1
    time.sleep(0.02)
    extra = set(dir()) - names - {'number', 'extra', 'names'}
    print('turn', number, ' '.join(sorted(extra))); sys.stdout.flush()
`;

const folders = () =>
  ['/tmp', '/dev/shm'].flatMap((folder) =>
    readdirSync(folder).filter((name) => /^straceback-(?:note|[a-z0-9_]{8}$)/.test(name)),
  );

const newPythons = debianPythons
  .filter(({ version }) => version === '3.13' || version === '3.14')
  .map(({ python }) => python);

describe('a process that works and rests', () => {
  it.each([...interpreters, ...newPythons])('%s counts its own objects and goes on as before', async (python) => {
    const live = await startPython(SERVICE, [], { python, stdio: ['pipe', 'pipe', 'pipe'] });
    await live.line(/^turn 10/);
    const before = await processState(live.pid);
    const data = dataOf((await runProbe(pyrasite, { pid: live.pid })).parsed);
    await expectUnhurt(live.pid, before);
    const own = (name: string) => data.types.find((type) => type.name === `__main__.${name}`);
    expect(own('Order')).toMatchObject({ objects: 1234 });
    expect(own('Order')?.bytes).toBeGreaterThan(1234 * 32);
    expect(own('Loud')).toMatchObject({ objects: 3 });
    expect(data.counted).toBe(data.objects);
    expect(data.types.map(({ name }) => name)).toEqual(expect.arrayContaining(['dict', 'list', 'str', 'tuple']));
    expect(data.collector).toMatchObject({ enabled: true });
    // Nothing is left in it, and it counts on without a gap.
    const [, turn] = /^turn (\d+) $/.exec(await live.line(/^turn/)) ?? [];
    expect(await live.line(/^turn/)).toBe(`turn ${Number(turn) + 1} `);
    expect(folders()).toEqual([]);
  });

  it('tells what tracemalloc has traced, and its garbage', async () => {
    const live = await startPython(`
import gc, sys, time, tracemalloc
tracemalloc.start()
blocks = [bytearray(1000) for _ in range(500)]
class Lost: pass
gc.set_debug(gc.DEBUG_SAVEALL)
for _ in range(7):
    one = Lost(); one.me = one; del one
gc.collect()
gc.disable()
print('ready', flush=True)
while True: time.sleep(0.05)
`);
    const data = dataOf((await runProbe(pyrasite, { pid: live.pid })).parsed);
    expect(data.traced[0]).toMatchObject({ file: '<string>', line: 4 });
    expect(data.traced[0]?.bytes).toBeGreaterThan(500_000);
    expect(data.garbage.types).toContainEqual(expect.objectContaining({ name: '__main__.Lost', objects: 7 }));
    expect(data.collector.enabled).toBe(false);
    expect(pyrasite.preview?.(data).join('\n')).toMatch(/__main__\.Lost|bytearray[\s\S]*the collector is off/);
  });

  it('goes on, and nothing is left behind, when the look is broken off', async () => {
    const live = await startPython(SERVICE);
    const before = await processState(live.pid);
    const begun = async () => {
      while (folders().length === 0) await new Promise((resolve) => setImmediate(resolve));
    };
    await runProbe(pyrasite, {
      pid: live.pid,
      onStart: (child) => void begun().then(() => process.kill(-(child.pid ?? 0), 'SIGKILL')),
    });
    await expectUnhurt(live.pid, before);
    while (folders().length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    await live.line(/^turn/);
  });
});

/** Programs in which no code may be run, and what is said of each. */
const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ['spins in Python', "print('ready', flush=True)\nwhile True: pass", /it spins/],
  ['spins in C', "print('ready', flush=True)\nsum(range(10**12))", /it spins/],
  [
    'has a thread that keeps the interpreter lock',
    "import threading, re, time\ndef match():\n    time.sleep(0.1)\n    print('ready', flush=True)\n    re.match('(a+)+$', 'a' * 64 + 'b')\nthreading.Thread(target=match, daemon=True).start()\nwhile True: time.sleep(0.02)",
    /lock was held without pause|did not run once/,
  ],
  [
    'waits for a lock for ever',
    "import threading\nlock = threading.Lock(); lock.acquire()\nprint('ready', flush=True)\nlock.acquire()",
    /blocked or idle.*waits for a lock/,
  ],
  [
    'reads what never comes',
    "import os\nr, w = os.pipe()\nprint('ready', flush=True)\nos.read(r, 1)",
    /blocked or idle/,
  ],
  [
    'is in a signal handler',
    "import signal, time, os\ndef handler(number, frame):\n    print('ready', flush=True)\n    while True: time.sleep(0.05)\nsignal.signal(signal.SIGTERM, handler)\nos.kill(os.getpid(), signal.SIGTERM)",
    /in a signal handler/,
  ],
  [
    'has a seccomp filter',
    "import ctypes, time\nlibc = ctypes.CDLL(None)\nlibc.prctl(38, 1, 0, 0, 0)\nclass F(ctypes.Structure): _fields_ = [('c', ctypes.c_ushort), ('t', ctypes.c_ubyte), ('f', ctypes.c_ubyte), ('k', ctypes.c_uint)]\nclass P(ctypes.Structure): _fields_ = [('n', ctypes.c_ushort), ('f', ctypes.POINTER(F))]\none = F(6, 0, 0, 0x7fff0000)\nassert libc.prctl(22, 2, ctypes.byref(P(1, ctypes.pointer(one))), 0, 0) == 0\nprint('ready', flush=True)\nwhile True: time.sleep(0.05)",
    /seccomp filter/,
  ],
];

describe('a process in which code could not be run safely', () => {
  it.each(REFUSED)('one that %s is refused with the reason, and unhurt', async (_, source, why) => {
    const live = await startPython(source);
    const before = await processState(live.pid);
    const { parsed, evidence } = await runProbe(pyrasite, { pid: live.pid });
    expect(parsed).toMatchObject({ ok: false, reason: 'not-applicable' });
    expect(parsed.ok ? '' : parsed.why).toMatch(why);
    expect(Buffer.from(evidence.stdout).toString()).not.toContain('== asked');
    await expectUnhurt(live.pid, before);
    expect(folders()).toEqual([]);
  });

  it('one that is stopped is refused, and stays so', async () => {
    const live = await startPython(SERVICE);
    process.kill(live.pid, 'SIGSTOP');
    await untilState(live.pid, 'T');
    const { parsed } = await runProbe(pyrasite, { pid: live.pid });
    expect(parsed.ok ? '' : parsed.why).toContain('state T');
    expect(stateOf(live.pid)).toBe('T');
    process.kill(live.pid, 'SIGCONT');
    await live.line(/^turn/);
  });

  it.runIf(existsSync('/usr/bin/unshare'))('one with a /tmp and other folders of its own is refused', async () => {
    const live = await startPython(SERVICE, [], {});
    const apart = `import ctypes, os\nassert ctypes.CDLL(None).unshare(0x20000) == 0\nos.system('mount --make-rprivate / && for d in /tmp /dev/shm /run; do mount -t tmpfs none $d; done')\n${SERVICE.replace('from __future__ import print_function\n', '')}`;
    if (process.getuid?.() !== 0) return;
    const own = await startPython(apart);
    const { parsed } = await runProbe(pyrasite, { pid: own.pid });
    expect(parsed.ok ? '' : parsed.why).toContain('other files than its host');
    await own.line(/^turn/);
    await live.line(/^turn/);
  });
});

describe('pyrasite', () => {
  it('is refused without the permission to risk a death', () => {
    const step = { probe: pyrasite, options: {}, always: true };
    const now = { known: knownHere(process.pid), startedBefore: new Set<string>() };
    expect(refusal(step, { ...now, allow: ['slows', 'stops'] })).toMatchObject({ seen: false, reason: 'not-allowed' });
    expect(refusal(step, { ...now, allow: ['slows', 'risks-death'] })).toBeNull();
  });

  it('says why there is nothing', () => {
    expect(parseFixture(pyrasite, 'refused-spins')).toMatchObject({ ok: false, reason: 'not-applicable' });
    expect(parseFixture(pyrasite, 'no-figures')).toMatchObject({ ok: false, reason: 'timed-out' });
    expect(parseFixture(pyrasite, 'gone')).toMatchObject({ ok: false, reason: 'target-gone' });
  });

  it('reads the figures', () => {
    const data = dataOf(parseFixture(pyrasite, '3.11.2-service'));
    expect(data).toMatchObject({ version: '3.11.2', garbage: { objects: 0 } });
    expect(data.types.find(({ name }) => name === '__main__.Node')).toMatchObject({ objects: 5000, bytes: 280000 });
    expect(data.generations).toHaveLength(3);
    expect(pyrasite.preview?.(data)[0]).toMatch(/^\w+ {10,}/);
  });

  it('never throws', () => {
    expectNeverThrows(
      pyrasite,
      fixtureNames('pyrasite').map((name) => Buffer.from(loadFixture('pyrasite', name).evidence.stdout)),
    );
  });
});
