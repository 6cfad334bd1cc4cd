import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';

/** A program of the sandbox that has been started and shows its symptom. */
export interface RunningProgram {
  readonly name: string;
  /** The process to look at. */
  readonly pid: number;
  /** What is wrong with it, as the id of a cause. */
  readonly cause: string;
  readonly about: string;
  readonly stop: () => Promise<void>;
}

interface Program {
  readonly file: string;
  readonly cause: string;
  readonly about: string;
}

/** Where the files of the sandbox's patients are. */
export const PROGRAM_FOLDER = path.join(import.meta.dirname, 'programs');

/** The sandbox's patients. Each prints `symptom stands` when its fault is there. */
export const PROGRAMS: readonly Program[] = [
  { file: 'recommender.py', cause: 'busy-loop', about: 'a web service that stopped answering at 100 % CPU' },
  { file: 'log_shipper.py', cause: 'signal-handler-deadlock', about: 'a worker that does not end on SIGTERM' },
  { file: 'price_feed.py', cause: 'blocked-on-network', about: 'a client that waits for an answer' },
  { file: 'hello_web.py', cause: 'healthy', about: 'a web server with nothing wrong' },
];

const ended = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once('exit', () => resolve()));

const killQuietly = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
};

/**
 * Starts a program of a folder, the sandbox's own unless said otherwise, with the host's own Python and waits until its
 * symptom stands.
 * Throws when it ends before, with what it printed.
 */
export const startProgram = async (program: Program, folder = PROGRAM_FOLDER): Promise<RunningProgram> => {
  const file = path.join(folder, program.file);
  const python = '/usr/bin/python3';
  const child = spawn(python, ['-u', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  let patient = 0;
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${program.file} ended with ${code} before its symptom stood`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      // A program with a child that is the patient names it; otherwise the patient is the program itself.
      const named = /^child (\d+)$/.exec(line);
      if (named !== null) patient = Number(named[1]);
      if (line === 'symptom stands') resolve();
    });
  });
  const pid = child.pid ?? 0;
  return {
    name: program.file,
    pid: patient === 0 ? pid : patient,
    cause: program.cause,
    about: program.about,
    stop: async () => {
      if (patient !== 0) killQuietly(patient);
      killQuietly(pid);
      await ended(child);
    },
  };
};
