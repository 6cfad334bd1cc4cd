import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = path.join(import.meta.dirname, '../..');
const LOADER = path.join(ROOT, 'tests/support/typescript-loader.mjs');
const CLOCK = path.join(import.meta.dirname, 'skewed-clock.mjs');
/** The longest that one is given to come up, or to end, ms; there to end a hang. */
const LONGEST_MS = 120_000;

/** How often a process took how much, for what it needs at the end against the beginning. */
export interface Resident {
  readonly name: string;
  readonly firstMib: number;
  readonly lastMib: number;
}

/** One bot or worker of the run; after a kill the next process takes its place. */
export interface Side {
  readonly name: string;
  /** Kills it and starts the next one, whose clock may be off. Resolves once that one is up. */
  readonly killed: (clockSeconds?: number) => Promise<void>;
  /** Ends it politely, and gives what is wrong with how it ended; null when nothing is. */
  readonly stop: () => Promise<string | null>;
  /** Ended by itself, which none may. */
  readonly died: () => readonly string[];
  /** What the process that runs now had when it was up and has now. */
  readonly resident: () => Resident | null;
  readonly kill: () => Promise<void>;
}

const residentMib = (pid: number): number => {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
};

const delay = (ms: number) => new Promise<'late'>((resolve) => setTimeout(() => resolve('late'), ms).unref());

/**
 * Starts `straceback bot` or `straceback worker` from its source. Its log is `folder/NAME.log`. Rejects when it does not come up, with
 * its last words.
 */
export const startSide = async (
  name: string,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  folder: string,
): Promise<Side> => {
  const log = createWriteStream(path.join(folder, `${name}.log`), { flags: 'a' });
  const died: string[] = [];
  let now: { child: ChildProcess; ended: Promise<unknown>; wanted: boolean; firstMib: number } | null = null;

  const start = async (clockSeconds: number): Promise<void> => {
    const child = spawn(
      process.execPath,
      ['--import', CLOCK, '--import', LOADER, path.join(ROOT, 'straceback.ts'), ...words],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: {
          PATH: process.env.PATH ?? '/usr/bin:/bin',
          HOME: process.env.HOME ?? '/',
          FAULTS_CLOCK_SECONDS: String(clockSeconds),
          ...env,
        },
      },
    );
    const last: string[] = [];
    const one = { child, wanted: false, firstMib: 0, ended: once(child, 'exit') };
    now = one;
    void one.ended.then(() => {
      if (!one.wanted) died.push(`${name} ended with ${child.exitCode ?? child.signalCode}: ${last.at(-1) ?? ''}`);
    });
    const up = new Promise<'up'>((resolve) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        log.write(`${line}\n`);
        last.push(line);
        if (last.length > 5) last.shift();
        if (line.includes('straceback is up')) resolve('up');
      });
    });
    const how = await Promise.race([up, one.ended, delay(LONGEST_MS)]);
    if (how !== 'up' && !one.wanted) throw new Error(`${name} did not come up: ${last.join('\n')}`);
    one.firstMib = residentMib(child.pid ?? 0);
  };

  const kill = async (): Promise<void> => {
    if (now === null) return;
    now.wanted = true;
    now.child.kill('SIGKILL');
    await now.ended;
  };

  await start(0);
  return {
    name,
    killed: async (clockSeconds = 0) => {
      await kill();
      await start(clockSeconds);
    },
    kill: async () => {
      await kill();
      log.end();
    },
    stop: async () => {
      if (now === null) return null;
      const { child, ended } = now;
      if (child.exitCode !== null || child.signalCode !== null) return `${name} had ended already`;
      now.wanted = true;
      child.kill('SIGTERM');
      if ((await Promise.race([ended, delay(LONGEST_MS)])) === 'late') {
        await kill();
        return `${name} did not end within ${LONGEST_MS / 1000} s of SIGTERM`;
      }
      return child.exitCode === 0 ? null : `${name} ended with ${child.exitCode ?? child.signalCode} after SIGTERM`;
    },
    died: () => died,
    resident: () => (now === null ? null : { name, firstMib: now.firstMib, lastMib: residentMib(now.child.pid ?? 0) }),
  };
};
