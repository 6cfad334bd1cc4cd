import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { pyHeap } from '../../playbooks/probes/py-heap.ts';
import { endProcesses, startProcess } from '../support/live-process.ts';
import { stepFor } from '../support/run-probe.ts';
import type { Print } from './run.ts';

const exec = promisify(execFile);
const PROBES = path.join(import.meta.dirname, '../../playbooks/probes');
const SIZES = [1_000_000, 10_000_000];

/** A quarter each of instances with slots, tuples, floats and strings: the small objects that data is made of. */
const PROGRAM = `
import gc, sys
gc.disable()
class Point(object):
    __slots__ = ('x',)
    def __init__(self, x):
        self.x = x
quarter = int(sys.argv[1]) // 4
kept = [[Point(None) for _ in range(quarter)], [(each,) for each in range(quarter)],
        [each + 0.5 for each in range(quarter)], [str(each) for each in range(quarter)]]
print('standing', flush=True)
sys.stdin.read()
`;

/** Runs a command and prints what its children took: seconds of CPU, and the largest resident set in KiB. */
const MEASURE = `
import resource, subprocess, sys, time
began = time.monotonic()
out = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE).stdout.decode()
used = resource.getrusage(resource.RUSAGE_CHILDREN)
sys.stderr.write('%f %f %d' % (time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss))
sys.stdout.write(out)
`;

/** One count of all objects of a process: how long it takes, and the memory of the reader, for 1 and 10 million objects. */
export const run = async (print: Print): Promise<void> => {
  try {
    for (const size of SIZES) {
      const live = await startProcess('/usr/bin/python3', ['-u', '-c', PROGRAM, String(size)]);
      await live.line(/^standing/);
      // One count of everything: no second look, and time enough not to sample.
      const step = { ...stepFor(pyHeap, { pid: live.pid, options: { seconds: 60 } }), windowSeconds: 0 };
      const [python = 'python3', ...words] = pyHeap
        .command(step)
        .argv.map((word) => word.replace(/\{script:([^}]+)\}/g, (_, name: string) => path.join(PROBES, name)));
      const { stdout, stderr } = await exec('/usr/bin/python3', ['-c', MEASURE, python, ...words], {
        maxBuffer: 1 << 24,
      });
      const [seconds = 0, cpu = 0, kib = 0] = stderr.trim().split(' ').map(Number);
      const counted = Number(/^types \d+ in all, (\d+) objects/m.exec(stdout)?.[1]);
      const name = `${size / 1e6} million objects`;
      print('census', `${name}, counted`, counted, 'objects');
      print('census', `${name}, time`, seconds, 's');
      print('census', `${name}, processor time`, cpu, 's');
      print('census', `${name}, memory of the reader`, kib / 1024, 'MiB');
      await endProcesses();
    }
  } finally {
    await endProcesses();
  }
};
