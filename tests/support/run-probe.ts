import { type ChildProcess, spawn } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Evidence, KnownHost, Parsed, Probe, StepContext, StepEnd } from '../../playbooks/model/index.ts';
import { readProbeScript } from '../../playbooks/registry.ts';

const SYSTEM_PATH = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin`;

/** What a test may choose about a run; everything else is as on a host where the look runs as root. */
export interface RunProbeOptions {
  readonly pid: number;
  readonly options?: Record<string, unknown>;
  readonly windowSeconds?: number;
  /** Fields to set on top of what this machine has; null for a probe that runs before anything is known. */
  readonly known?: Partial<KnownHost> | null;
  /** User (and group) id to run the command as, instead of this test's own. */
  readonly uid?: number;
  /** Field 22 of /proc/PID/stat to claim for the target; read from /proc when absent. */
  readonly startTime?: string;
  readonly keepFolder?: string;
  /** Called with the child as soon as it runs, for tests that change something in the middle of the window. */
  readonly onStart?: (child: ChildProcess) => void;
}

/** One run: what was run, what came out, and what the probe's parser read from it. */
export interface ProbeRun<Data> {
  readonly step: StepContext;
  readonly evidence: Evidence;
  readonly parsed: Parsed<Data>;
}

/** Start time of a process in clock ticks after boot (proc_pid_stat(5), field 22); `0` when there is no such process. */
export function startTimeOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '0';
  } catch {
    return '0';
  }
}

function findTool(name: string): string | null {
  for (const folder of SYSTEM_PATH.split(delimiter)) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // not in this folder
    }
  }
  return null;
}

/** What phase 1 would say about this machine and a process on it, with `overrides` on top. */
export function knownHere(pid: number, overrides: Partial<KnownHost> = {}): KnownHost {
  const tools: Record<string, string> = {};
  for (const name of ['strace', 'gdb', 'gcore', 'lsof', 'ss', 'eu-stack', 'ltrace', 'timeout', 'python3', 'dmesg']) {
    const path = findTool(name);
    if (path) tools[name] = path;
  }
  let status = '';
  try {
    status = readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch {
    // a process that is gone has no threads and no memory
  }
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  return {
    // As identify does: the distribution's own before any shim on PATH.
    python: existsSync('/usr/bin/python3') ? '/usr/bin/python3' : findTool('python3'),
    tools,
    runtime: { kind: 'python', version: null },
    threads: field('Threads'),
    rssKib: field('VmRSS'),
    root: process.getuid?.() === 0,
    ...overrides,
  };
}

/** The step context that a test's probe runs in. Options go through the probe's own schema (it throws on bad ones). */
export function stepFor<Data>(probe: Probe<Data>, run: RunProbeOptions): StepContext {
  return {
    target: { host: 'local', pid: run.pid, startTime: run.startTime ?? startTimeOf(run.pid) },
    windowSeconds: run.windowSeconds ?? 1,
    known: run.known === null ? null : knownHere(run.pid, run.known),
    options: probe.options.parse(run.options ?? {}),
    keepFolder: run.keepFolder ?? tmpdir(),
  };
}

/** Evidence out of recorded bytes, for parsers that are tested on fixtures. */
export function evidenceFrom(probe: string, stdout: string | Uint8Array, overrides: Partial<Evidence> = {}): Evidence {
  return {
    id: 'E1',
    probe,
    command: probe,
    end: 'exited',
    exit: 0,
    startedAt: Date.UTC(2024, 5, 1),
    seconds: 0.1,
    stdout: Buffer.from(stdout),
    stderr: new Uint8Array(),
    dropped: 0,
    ...overrides,
  };
}

/**
 * Runs a probe's command on this machine, without shell and without the runner: scripts are copied to a folder of
 * their own, time and output limits are the probe's. Resolves always; throws only when the options are bad or the
 * command's program does not exist.
 */
export async function runProbe<Data>(probe: Probe<Data>, run: RunProbeOptions): Promise<ProbeRun<Data>> {
  const step = stepFor(probe, run);
  const { argv, scripts = [] } = probe.command(step);
  const folder = mkdtempSync(join(tmpdir(), 'straceback-probe-'));
  chmodSync(folder, 0o755);
  try {
    for (const script of scripts) {
      writeFileSync(join(folder, script), await readProbeScript(script));
      chmodSync(join(folder, script), 0o644);
    }
    const words = argv.map((word) => word.replace(/\{script:([^}]+)\}/g, (_, name: string) => join(folder, name)));
    const evidence = await execute(probe, step, words, run);
    return { step, evidence, parsed: probe.parse(evidence, step) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function execute<Data>(
  probe: Probe<Data>,
  step: StepContext,
  words: readonly string[],
  run: RunProbeOptions,
): Promise<Evidence> {
  const [program, ...rest] = words;
  if (program === undefined) throw new Error(`${probe.id} has an empty command`);
  const startedAt = Date.now();
  const identity = run.uid === undefined ? {} : { uid: run.uid, gid: run.uid };
  const child = spawn(program, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    cwd: '/',
    env: { PATH: SYSTEM_PATH, HOME: '/', LC_ALL: 'C' },
    ...identity,
  });
  const out = collect(child, 'stdout', probe.limits.bytes);
  const err = collect(child, 'stderr', 65_536);
  let end: StepEnd = 'exited';
  const limitMs = probe.limits.seconds(step) * 1000;
  const endGroup = (signal: 'SIGTERM' | 'SIGKILL') => {
    end = 'timed-out';
    if (child.pid) process.kill(-child.pid, signal);
  };
  const alarms = [
    setTimeout(endGroup, limitMs, probe.limits.endWith === 'KILL' ? 'SIGKILL' : 'SIGTERM'),
    setTimeout(endGroup, limitMs + 2000, 'SIGKILL'),
  ];
  try {
    const exit = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('spawn', () => run.onStart?.(child));
      child.on('close', (code) => resolve(code));
    });
    return {
      id: 'E1',
      probe: probe.id,
      command: probe
        .command(step)
        .argv.join(' ')
        .replace(/\{script:([^}]+)\}/g, '$1'),
      end,
      exit,
      startedAt,
      seconds: (Date.now() - startedAt) / 1000,
      stdout: Buffer.concat(out.chunks),
      stderr: Buffer.concat(err.chunks),
      dropped: out.dropped(),
    };
  } finally {
    for (const alarm of alarms) clearTimeout(alarm);
  }
}

function collect(child: ChildProcess, stream: 'stdout' | 'stderr', limit: number) {
  const chunks: Buffer[] = [];
  let kept = 0;
  let dropped = 0;
  child[stream]?.on('data', (chunk: Buffer) => {
    const part = chunk.subarray(0, Math.max(0, limit - kept));
    kept += part.length;
    dropped += chunk.length - part.length;
    if (part.length > 0) chunks.push(part);
  });
  return { chunks, dropped: () => dropped };
}
