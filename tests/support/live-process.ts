import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** A process that a test started. Its standard output is read line by line. */
export interface LiveProcess {
  readonly pid: number;
  readonly child: ChildProcess;
  /** The next line of its standard output that matches; rejects when the process ends first. */
  readonly line: (pattern: RegExp) => Promise<string>;
  readonly say: (text: string) => void;
}

const started = new Set<ChildProcess>();

/** Starts a program and resolves when it runs. Tests call `endProcesses` in `afterEach`. */
export async function startProcess(
  program: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Promise<LiveProcess> {
  const child = spawn(program, args, { ...options, stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child, 'spawn');
  started.add(child);
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const look of [...waiting]) look();
  };
  let ended = false;
  createInterface({ input: child.stdout ?? process.stdin }).on('line', (text) => {
    lines.push(text);
    wake();
  });
  child.stdin?.on('error', () => {});
  child.on('close', () => {
    ended = true;
    wake();
  });
  const line = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const index = lines.findIndex((text) => pattern.test(text));
        if (index < 0 && !ended) return;
        waiting.delete(look);
        const [found] = index < 0 ? [] : lines.splice(0, index + 1).slice(-1);
        if (found === undefined) reject(new Error(`${program} ended without writing ${pattern}`));
        else resolve(found);
      };
      waiting.add(look);
      look();
    });
  return { pid: child.pid ?? 0, child, line, say: (text) => child.stdin?.write(`${text}\n`) };
}

/** Runs Python source text, and resolves once it has written `ready`. */
export async function startPython(
  source: string,
  args: readonly string[] = [],
  options: SpawnOptions & { readonly python?: string } = {},
): Promise<LiveProcess> {
  const { python = '/usr/bin/python3', ...rest } = options;
  const live = await startProcess(python, ['-u', '-c', source, ...args], rest);
  await live.line(/^ready/);
  return live;
}

/** Ends everything that `startProcess` began, stopped or not, and waits until it has ended. */
export async function endProcesses(): Promise<void> {
  await Promise.all(
    [...started].map(async (child) => {
      started.delete(child);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const closed = once(child, 'exit');
      child.kill('SIGKILL');
      await closed;
    }),
  );
}

/** State letter of a process or of one of its threads (proc_pid_stat(5), field 3); null when it is gone. */
export function stateOf(pid: number, tid = pid): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/task/${tid}/stat`, 'latin1');
    return stat.charAt(stat.lastIndexOf(')') + 2);
  } catch {
    return null;
  }
}

/** Waits until `/proc` shows the process in one of these states; the kernel offers no event for it. */
export async function untilState(pid: number, letters: string, tid = pid): Promise<void> {
  for (;;) {
    const state = stateOf(pid, tid);
    if (state !== null && letters.includes(state)) return;
    if (state === null) throw new Error(`process ${pid} ended before it was in state ${letters}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Runs work while strace(1) traces a process, and gives it the tracer's pid. The tracer has ended when this resolves or rejects. */
export async function whileTraced(pid: number, work: (tracer: number) => Promise<void>): Promise<void> {
  const tracer = spawn('strace', ['-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(tracer, 'exit');
  try {
    // It says that it is attached.
    await once(tracer.stderr, 'data');
    await work(tracer.pid ?? 0);
  } finally {
    tracer.kill('SIGTERM');
    await ended;
  }
}
