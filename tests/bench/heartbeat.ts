import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';

/** A process with 22 threads that knows how long it was kept from running. */
export interface Heartbeat {
  readonly pid: number;
  /** The longest gap between two beats since the last call, ms. */
  readonly longestGap: () => Promise<number>;
  readonly stop: () => void;
}

/** Starts it and waits for its first beat. */
export const startHeartbeat = async (): Promise<Heartbeat> => {
  // The program stands beside the source of this file; built code runs from dist/tests/bench.
  const file = path.resolve(import.meta.dirname.replace(/\/dist\/tests\//, '/tests/'), 'heartbeat.py');
  const child = spawn('/usr/bin/python3', ['-u', file], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const line = await lines.next();
    if (line.done === true) throw new Error('the heartbeat program has ended');
    return line.value;
  };
  await next();
  return {
    pid: child.pid ?? 0,
    longestGap: async () => {
      child.stdin.write('gap\n');
      return Number(await next());
    },
    stop: () => void child.kill('SIGKILL'),
  };
};
