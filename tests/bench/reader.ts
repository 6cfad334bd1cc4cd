import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { startTimeOf } from '../support/run-probe.ts';
import type { Print } from './run.ts';

/** The sources, from which built code in dist/tests/bench runs too. */
const SOURCES = path.resolve(import.meta.dirname.replace(/\/dist\/tests\//, '/tests/'), '../..');
const READER = path.join(SOURCES, 'playbooks/probes/py-stacks.py');
const TARGET = path.join(SOURCES, 'tests/bench/crowd.py');
/** Runs the reader and prints what it took: seconds of the clock and of a processor, and megabytes at most. */
const MEASURE = `
import resource, subprocess, sys, time
begun = time.monotonic()
subprocess.run([sys.executable, '-I', '-S', '-B'] + sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.monotonic() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
`;

interface Cost {
  readonly seconds: number;
  readonly cpu: number;
  readonly mib: number;
}

const read = async (pid: number, seconds: number): Promise<Cost> => {
  const args = ['-c', MEASURE, READER, String(pid), startTimeOf(pid), String(seconds), '20'];
  const child = spawn('/usr/bin/python3', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(child, 'close');
  const [wall = NaN, cpu = NaN, mib = NaN] = Buffer.concat(chunks).toString().trim().split(' ').map(Number);
  return { seconds: wall, cpu, mib };
};

/** What reading stacks costs the host: one look at crowds of threads, deep stacks and many tasks, and a window of looks. */
export const run = async (print: Print): Promise<void> => {
  for (const [name, kind, count, depth] of [
    ['22 threads', 'threads', 22, 5],
    ['1,000 threads', 'threads', 1000, 5],
    ['22 threads 200 frames deep', 'threads', 22, 200],
    ['2,000 tasks', 'tasks', 2000, 5],
  ] as const) {
    const child = spawn('/usr/bin/python3', ['-u', TARGET, kind, String(count), String(depth)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
      const pid = child.pid ?? 0;
      print('reader', `one look at ${name}, with the reader's own start`, (await read(pid, 0)).seconds * 1000, 'ms');
      const window = await read(pid, 3);
      print('reader', `20 looks a second at ${name}, share of one CPU`, (window.cpu / window.seconds) * 100, '%');
      print('reader', `20 looks a second at ${name}, memory`, window.mib, 'MiB');
    } finally {
      child.kill('SIGKILL');
    }
  }
};
