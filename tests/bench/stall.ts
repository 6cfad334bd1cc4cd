import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { hostLookup, localHost } from '../../infra/hosts.ts';
import type { Probe } from '../../playbooks/model/index.ts';
import { identify } from '../../playbooks/probes/identify.ts';
import { loadProbes } from '../../playbooks/registry.ts';
import { shellOpener } from '../../workers/reach.ts';
import { collectStep, evidenceIds } from '../../workers/stages/collect.ts';
import { observe } from '../../workers/stages/observe.ts';
import { startHeartbeat } from './heartbeat.ts';
import type { Print } from './run.ts';

const MEASURED = ['sample', 'py-stacks', 'lsof', 'strace', 'native-stacks', 'py-bt', 'gcore'];

const HELPERS = '/usr/share/gdb/auto-load';
const NATIVE = path.resolve(
  import.meta.dirname.replace(/\/dist\/tests\//, '/tests/'),
  '../../playbooks/probes/native-stacks.gdb.py',
);

/** gdb alone: as people call it for Python stacks, and as native-stacks calls it where eu-stack is missing. */
const GDB: Readonly<Record<string, (pid: number) => string[]>> = {
  'gdb, plain py-bt': (pid) => [
    ...['-iex', `add-auto-load-safe-path ${HELPERS}`, '-iex', 'set debuginfod enabled off'],
    ...['-p', String(pid), '-ex', 'thread apply all py-bt'],
  ],
  'gdb, tuned for C stacks': () => ['-iex', 'set auto-load off', '-x', NATIVE],
};

const runGdb = async (args: readonly string[], pid: number): Promise<void> => {
  const env = { ...process.env, STRACEBACK_PID: String(pid), STRACEBACK_FRAMES: '100' };
  const child = spawn('timeout', ['-k', '5', '60', 'gdb', '-nx', '-batch', ...args], { stdio: 'ignore', env });
  await once(child, 'exit');
};

/** The longest gap that each probe alone causes in a process with 22 threads that beats every millisecond. */
export const run = async (print: Print): Promise<void> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-bench-'));
  const target = await startHeartbeat();
  const opener = shellOpener(hostLookup([localHost({ keepFolder: folder })]));
  try {
    const shell = await opener.openShell('local');
    const probes = await loadProbes();
    const base = {
      target: { host: 'local', pid: target.pid, startTime: '0' },
      windowSeconds: 3,
      known: null,
      options: {},
      keepFolder: folder,
    };
    const who = { probe: identify as Probe, options: {}, always: true };
    const seen = observe(who, await collectStep(shell, who, base, evidenceIds(), false), base);
    const data = seen.seen ? identify.data.parse(seen.data) : undefined;
    if (data === undefined) throw new Error('the heartbeat process could not be identified');
    const known = {
      python: data.host.python,
      tools: data.host.tools,
      runtime: data.runtime,
      threads: data.threads,
      rssKib: data.memory.rssKib,
      root: true,
    };
    await target.longestGap();
    await shell.run({
      id: 'nothing',
      argv: ['sleep', '3'],
      scripts: [],
      seconds: 5,
      bytes: 16,
      endWith: 'TERM',
      ptraces: false,
      target: null,
    });
    print('stall', 'nothing, for comparison', await target.longestGap(), 'ms');
    for (const id of MEASURED) {
      const probe = probes.get(id);
      if (probe === undefined) continue;
      const step = { probe, options: probe.options.parse({}) as Record<string, unknown>, always: true };
      const context = { ...base, target: { ...base.target, startTime: data.startTime }, known, options: step.options };
      await target.longestGap();
      await collectStep(shell, step, context, evidenceIds(), true);
      print('stall', id, await target.longestGap(), 'ms');
    }
    for (const [figure, args] of Object.entries(GDB)) {
      await target.longestGap();
      await runGdb(args(target.pid), target.pid);
      print('stall', figure, await target.longestGap(), 'ms');
    }
    await shell.close();
  } finally {
    target.stop();
    await opener.close();
    await rm(folder, { recursive: true, force: true });
  }
};
