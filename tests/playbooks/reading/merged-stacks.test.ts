import { afterEach, describe, expect, it } from 'vitest';
import { nativeStacks } from '../../../playbooks/probes/native-stacks.ts';
import { type PyStacksData, pyStacks } from '../../../playbooks/probes/py-stacks.ts';
import { mergedStacks } from '../../../playbooks/reading/merged-stacks.ts';
import { canRun, pythons } from '../../support/incident.ts';
import { endProcesses, startPython } from '../../support/live-process.ts';
import { runProbe } from '../../support/run-probe.ts';

afterEach(endProcesses);

const frame = (name: string, module = '/usr/bin/python3.9') => ({ function: name, module, address: '0x1', at: 1 });
const evaluates = frame('_PyEval_EvalFrameDefault');
const pythonFrame = (name: string, line: number) => ({
  function: name,
  file: '/srv/app.py',
  line,
  firstLine: 1,
  signal: null,
  holds: [],
  at: 1,
});

const python = (threads: { tid: number; name: string; frames: [string, number][]; gil?: number }[]): PyStacksData => ({
  version: '3.9.18',
  samples: 20,
  seconds: 1,
  interpretersNotRead: 0,
  source: [],
  threads: threads.map(({ tid, name, frames, gil = 0 }) => ({
    tid,
    name,
    samples: 20,
    gil,
    stacks: [{ count: 19, frames: frames.map(([of, line]) => pythonFrame(of, line)) }],
    unread: 0,
    otherStacks: 1,
    waitsFor: null,
    motion: null,
    at: 1,
  })),
});

describe('mergedStacks', () => {
  const scan = frame('scan_once', '/usr/lib/python3.9/lib-dynload/_json.so');
  const stack = [
    frame('malloc', '/lib/libc.so.6'),
    frame('new_dict'),
    evaluates,
    frame('_PyFunction_Vectorcall'),
    scan,
  ];

  it('puts C frames above the innermost Python frame, and those of other libraries between those that they stand between', () => {
    const native = [{ tid: 7, at: 1, frames: [...stack, evaluates, frame('main')] }];
    const read = python([
      {
        tid: 7,
        name: 'MainThread',
        frames: [
          ['hook', 10],
          ['parse', 8],
        ],
      },
    ]);
    expect(mergedStacks(native, read)).toEqual([
      'C frames of one moment, Python frames as they were seen most often in 1 s',
      'thread 7 "MainThread", in this stack 19 of 20 times:',
      '  C malloc in libc.so.6',
      '  C new_dict',
      '  hook  /srv/app.py:10',
      '  C scan_once in _json.so',
      '  parse  /srv/app.py:8',
    ]);
  });

  it('does not say what stands between where one C frame runs several Python frames', () => {
    const native = [{ tid: 7, at: 1, frames: [...stack, evaluates] }];
    const read = python([
      {
        tid: 7,
        name: '',
        frames: [
          ['hook', 10],
          ['inner', 5],
          ['parse', 8],
        ],
      },
    ]);
    expect(mergedStacks(native, read).slice(2)).toEqual([
      '  C malloc in libc.so.6',
      '  C new_dict',
      '  hook  /srv/app.py:10',
      '  inner  /srv/app.py:5',
      '  parse  /srv/app.py:8',
    ]);
  });

  it('tells threads with the same stack once, those that ran first, those without Python last', () => {
    const waits = [frame('futex', '/lib/libc.so.6'), evaluates];
    const native = [
      { tid: 8, at: 1, frames: [frame('poll', '/lib/libc.so.6')] },
      ...[9, 10, 11].map((tid) => ({ tid, at: 1, frames: waits })),
      { tid: 7, at: 1, frames: [evaluates] },
    ];
    const read = python([
      ...[9, 10, 11].map((tid) => ({ tid, name: `worker-${tid}`, frames: [['get', 3]] as [string, number][] })),
      { tid: 7, name: 'MainThread', frames: [['spin', 4]], gil: 18 },
    ]);
    expect(mergedStacks(native, read).filter((line) => line.startsWith('thread'))).toEqual([
      'thread 7 "MainThread", in this stack 19 of 20 times:',
      'thread 9 "worker-9", in this stack 19 of 20 times, and 2 threads more like it:',
      'thread 8, without Python frames:',
    ]);
  });
});

const SLEEPS = `
import threading, time
def nap(seconds):
    time.sleep(seconds)
threading.Thread(target=nap, args=(1000,), daemon=True).start()
print('ready', flush=True)
nap(1000)
`;

it.skipIf(!canRun('/usr/bin/eu-stack') && !canRun('/usr/bin/gdb')).each(pythons('3.9.18', '3.13.0'))(
  'stacks of a live process: %s',
  async (interpreter) => {
    const { pid } = await startPython(SLEEPS, [], { python: interpreter });
    const [native, read] = await Promise.all([
      runProbe(nativeStacks, { pid }),
      runProbe(pyStacks, { pid, windowSeconds: 0.5 }),
    ]);
    if (!native.parsed.ok || !read.parsed.ok) throw new Error('not read');
    const lines = mergedStacks(native.parsed.data.threads, read.parsed.data);
    const main = lines.slice(lines.findIndex((line) => line.startsWith(`thread ${pid} "MainThread"`)));
    const [sleep, nap, module] = [
      /C .*nanosleep|C .*select/,
      /^ {2}nap {2}<string>:4$/,
      /^ {2}<module> {2}<string>:7$/,
    ].map((pattern) => main.findIndex((line) => pattern.test(line)));
    expect(sleep).toBeGreaterThan(0);
    expect(nap).toBeGreaterThan(sleep ?? 0);
    expect(module).toBe((nap ?? 0) + 1);
  },
);
