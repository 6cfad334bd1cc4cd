import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { environmentForPrograms } from '../../../../infra/config-environment.ts';

/** What a program of OpenSSH said and how it ended. */
export interface Ran {
  /** Null when it was ended by a signal, by us at its time limit, or could not be started. */
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  /** Set when it could not be started at all. */
  readonly missing: boolean;
}

const MOST_TEXT = 64 * 1024;
/** A descendant may keep a pipe open that its parent has left: what was said until then is enough. */
const AFTER_EXIT_MS = 300;

/** Starts a program of OpenSSH in a session of its own, where it finds no terminal to ask questions on. */
export const startProgram = (program: string, args: readonly string[]): ChildProcessWithoutNullStreams =>
  spawn(program, [...args], { detached: true, stdio: 'pipe', env: environmentForPrograms() });

/** Runs one to its end, for at most `ms` milliseconds; then it and what it has started is killed. Never rejects. */
export const runProgram = (program: string, args: readonly string[], ms: number, input = ''): Promise<Ran> =>
  new Promise((resolve) => {
    const child = startProgram(program, args);
    let [stdout, stderr, timedOut, missing] = ['', '', false, false];
    let afterExit: NodeJS.Timeout | undefined;
    const timer = setTimeout(() => {
      timedOut = true;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has just ended.
      }
    }, ms);
    const done = () => {
      clearTimeout(timer);
      clearTimeout(afterExit);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ exit: child.exitCode, stdout, stderr, timedOut, missing });
    };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < MOST_TEXT) stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < MOST_TEXT) stderr += text;
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.once('error', () => {
      missing = true;
      done();
    });
    child.once('exit', () => {
      afterExit = setTimeout(done, AFTER_EXIT_MS);
    });
    child.once('close', done);
  });
