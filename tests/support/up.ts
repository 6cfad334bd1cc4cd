import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { expect, onTestFinished } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '..', '..');

/** `straceback up` in a process of its own. */
export interface Up {
  /** All that it has written so far. */
  readonly log: () => string;
  /** Ends it as an orchestrator does, and waits until it has. */
  readonly end: () => Promise<void>;
}

/** Starts `straceback up` from source with a configuration and, beside ours, an environment; resolves when it says that it is up. Ended after the test. */
export const upForTest = async (config: string, env: Readonly<Record<string, string>>): Promise<Up> => {
  const loader = path.join(ROOT, 'tests/support/typescript-loader.mjs');
  const words = ['--import', loader, path.join(ROOT, 'straceback.ts'), 'up', '--config', config];
  const program = spawn(process.execPath, words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let log = '';
  for (const stream of [program.stdout, program.stderr]) {
    stream.on('data', (piece: Buffer) => {
      log += piece.toString();
    });
  }
  const ended = once(program, 'close');
  const end = async (): Promise<void> => {
    if (program.exitCode === null) program.kill('SIGTERM');
    await ended;
  };
  onTestFinished(end);
  await expect.poll(() => log, { timeout: 120_000 }).toContain('straceback is up');
  return { log: () => log, end };
};
