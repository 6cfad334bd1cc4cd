import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import type { PythonStack } from '../../playbooks/model/index.ts';
import { type PyStacksData, pyStacks } from '../../playbooks/probes/py-stacks.ts';
import { type LiveProcess, startProcess } from './live-process.ts';
import { type RunProbeOptions, runProbe } from './run-probe.ts';
import { expectUnhurt, processState } from './unhurt.ts';

/** Folder of the programs that are looked at. */
export const TARGETS = path.join(import.meta.dirname, '../playbooks/probes/py-stacks-targets');
/** The system's interpreter always, others where they are installed. */
export const interpreters = [
  '/usr/bin/python3',
  ...['2.7.18', '3.6.15', '3.7.16', '3.8.18', '3.9.18', '3.10.13', '3.11.7', '3.12.1', '3.13.0'].map(
    (version) => `${process.env.HOME ?? '/root'}/.pyenv/versions/${version}/bin/python`,
  ),
].filter((file) => existsSync(file));
/** `3.8` for an installed one, `system` for the system's. */
export const versionOf = (python: string): string => /versions\/(\d+\.\d+)/.exec(python)?.[1] ?? 'system';

/** Starts a target and waits until it says that its symptom stands. */
export const start = async (
  program: string,
  python = '/usr/bin/python3',
  args: string[] = [],
): Promise<LiveProcess> => {
  const live = await startProcess(python, ['-u', path.join(TARGETS, program), ...args]);
  await live.line(/^standing/);
  return live;
};

/** Looks at a process; holds that it could be read and goes on as before. */
export const look = async (pid: number, run: Partial<RunProbeOptions> = {}): Promise<PyStacksData> => {
  const before = await processState(pid);
  const { parsed, evidence } = await runProbe(pyStacks, { pid, windowSeconds: 0.5, ...run });
  await expectUnhurt(pid, before);
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.why} ${Buffer.from(evidence.stderr)}`);
  return pyStacks.data.parse(parsed.data);
};

/** Names of the files that a process has open. */
export const openFiles = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });

/** Watches a process all the while; `end` gives each state in which it was stopped or traced. */
export const watchStates = (pid: number) => {
  const bad: string[] = [];
  const timer = setInterval(() => {
    for (const tid of readdirSync(`/proc/${pid}/task`)) {
      const status = readFileSync(`/proc/${pid}/task/${tid}/status`, 'latin1');
      bad.push(...(status.match(/^(State:\t[Tt].*|TracerPid:\t[1-9].*)$/gm) ?? []));
    }
  }, 5);
  return {
    end: async () => {
      clearInterval(timer);
      return bad;
    },
  };
};

/** The function's own name, as versions before 3.11 know it. */
export const plain = (name: string): string => name.split('.').at(-1) ?? '';

/** The functions of the frames, innermost first, in the target's own file. */
export const own = (stack: PythonStack | undefined): string[] =>
  (stack?.frames ?? [])
    .filter((frame) => frame.file.includes('py-stacks-targets'))
    .map((frame) => plain(frame.function));
