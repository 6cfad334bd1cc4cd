import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants, existsSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect } from 'vitest';
import { type HostSettings, hostLookup, localHost } from '../../infra/hosts.ts';
import { type Finding, type Impact, Report } from '../../playbooks/model/index.ts';
import { type Investigation, investigate } from '../../workers/investigate.ts';
import { loadKnowledge } from '../../workers/knowledge.ts';
import { shellOpener } from '../../workers/reach.ts';
import { recordExpected, recordLook } from './incident-record.ts';
import { type LiveProcess, startProcess } from './live-process.ts';
import { expectUnhurt, processState } from './unhurt.ts';

/**
 * Real programs, diagnosed by the real pipeline on this machine. A test starts a program of `tests/incidents/`, waits for
 * the line that says that its symptom stands, and examines it; whatever it started is ended after each test.
 */
const INCIDENTS = path.join(import.meta.dirname, '..', 'incidents');

/** Interpreters that an incident may run under: the system's own always, others where they are installed. */
export const pythons = (...versions: readonly string[]): string[] =>
  [
    '/usr/bin/python3',
    ...versions.map((version) =>
      path.join(process.env.HOME ?? '/root', '.pyenv', 'versions', version, 'bin', 'python'),
    ),
  ].filter((file) => existsSync(file));

export interface StartOptions {
  readonly python?: string;
  /** What runs the program instead of a Python: an interpreter and its options, or nothing for an executable. */
  readonly by?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const groups: { live: LiveProcess; folder: string }[] = [];

/** Starts `tests/incidents/PROGRAM` in a process group and a temporary folder of its own. Both are gone after the test. */
export const startProgram = async (program: string, options: StartOptions = {}): Promise<LiveProcess> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-incident-'));
  const by = options.by ?? [options.python ?? '/usr/bin/python3', '-u'];
  const [file = '', ...words] = [...by, path.resolve(INCIDENTS, program), ...(options.args ?? [])];
  const live = await startProcess(file, words, {
    detached: true,
    cwd: folder,
    env: { ...process.env, TMPDIR: folder, ...options.env },
  });
  groups.push({ live, folder });
  return live;
};

/** Starts a program and waits until it says `standing PID`; gives it and that pid. */
export const startStanding = async (
  program: string,
  options: StartOptions = {},
): Promise<{ live: LiveProcess; pid: number }> => {
  const live = await startProgram(program, options);
  const line = await live.line(/^standing \d+$/);
  return { live, pid: Number(line.split(' ')[1]) };
};

/** Ends every process group that was started and waits for it; test files need not call it. */
export const endPrograms = async (): Promise<void> => {
  await Promise.all(
    groups.splice(0).map(async ({ live, folder }) => {
      const ended = live.child.exitCode !== null || live.child.signalCode !== null;
      const exit = ended ? null : once(live.child, 'exit');
      try {
        process.kill(-live.pid, 'SIGKILL');
      } catch {
        // the group has ended by itself
      }
      await exit;
      rmSync(folder, { recursive: true, force: true });
    }),
  );
};

afterEach(endPrograms);

/** CPU seconds (user and system) that a process or one of its threads has used since it started (proc_pid_stat(5)). */
export const cpuSeconds = (pid: number, tid = pid): number => {
  const stat = readFileSync(`/proc/${pid}/task/${tid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

/** Waits until a thread has burnt this much more CPU time; the kernel offers no event for it. */
export const untilBurnt = async (pid: number, seconds: number, tid = pid): Promise<void> => {
  const begin = cpuSeconds(pid, tid);
  while (cpuSeconds(pid, tid) - begin < seconds) await new Promise((resolve) => setTimeout(resolve, 10));
};

export interface ExamineOptions {
  readonly playbook?: string;
  readonly windowSeconds?: number;
  readonly allow?: readonly Impact[];
  /** False for a target that somebody else traces or stops on purpose; the test then checks it itself. */
  readonly unhurt?: boolean;
  /** How this machine is reached, instead of directly. */
  readonly through?: HostSettings;
  /** The target's number on this machine, where `through` leads to other namespaces; the same when left out. */
  readonly outside?: number;
}

/** Holds that all that a report quotes stands so in the evidence that goes with it. */
const expectLiteral = ({ report, files }: Investigation): void => {
  const lines = new Map(files.map((file) => [file.id, file.text.split('\n')]));
  const findings = [...report.findings, ...(report.related ?? []).flatMap((other) => other.findings)];
  for (const { cause, evidence, source = [] } of findings) {
    for (const quote of evidence)
      expect(lines.get(quote.evidenceId)?.[quote.line - 1], `${cause} quotes ${quote.evidenceId}`).toBe(quote.text);
    for (const excerpt of source)
      for (const line of excerpt.lines)
        expect(lines.get(excerpt.evidenceId)?.[line.at - 1], `${cause} shows ${excerpt.file}`).toContain(line.text);
  }
};

/** The whole pipeline on a process of this machine. Holds afterwards that the target lives on as before. */
export const examineFully = async (pid: number, options: ExamineOptions = {}): Promise<Investigation> => {
  const keepFolder = await mkdtemp(path.join(tmpdir(), 'straceback-keep-'));
  const through = options.through ?? localHost({ keepFolder });
  const opener = shellOpener(hostLookup([through]));
  const seen = options.outside ?? pid;
  const before = await processState(seen);
  try {
    const investigation = await investigate(
      {
        id: randomUUID(),
        host: through.name,
        pid,
        playbook: options.playbook ?? 'triage',
        windowSeconds: options.windowSeconds,
        allow: ['none', 'slows', ...(options.allow ?? [])],
        origin: { kind: 'terminal' },
        requestedAt: Date.now(),
      },
      {
        ...(await loadKnowledge()),
        openShell: opener.openShell,
        keepFolder: () => keepFolder,
        progress: () => {},
        journal: { started: async () => {}, earlier: async () => [] },
        signal: new AbortController().signal,
        now: Date.now,
      },
    );
    Report.parse(investigation.report);
    const unhurt = options.unhurt !== false;
    if (unhurt) {
      await expectUnhurt(seen, before).catch((error: unknown) => {
        recordLook(investigation.report, false);
        throw error;
      });
    }
    recordLook(investigation.report, unhurt ? true : null);
    expectLiteral(investigation);
    return investigation;
  } finally {
    await opener.close();
    rmSync(keepFolder, { recursive: true, force: true });
  }
};

/** The report of the whole pipeline on a process of this machine. */
export const examine = async (pid: number, options: ExamineOptions = {}): Promise<Report> =>
  (await examineFully(pid, options)).report;

/** The findings that a person would act on. */
export const headlines = (report: Report): Finding[] => report.findings.filter((finding) => finding.confidence >= 0.5);

/** The first finding, held to be this cause at 0.5 or more and to quote lines that the evidence really has. */
export const expectFinding = (report: Report, cause: string, atLeast = 0.5): Finding => {
  recordExpected(report, cause);
  const [first] = report.findings;
  expect(first?.cause, JSON.stringify({ findings: report.findings, cannotTell: report.cannotTell }, null, 1)).toBe(
    cause,
  );
  if (first === undefined) throw new Error('no finding');
  expect(first.confidence, `${first.title}\n${first.summary}`).toBeGreaterThanOrEqual(atLeast);
  expect(first.evidence.length).toBeGreaterThan(0);
  expect(first.fixes.length).toBeGreaterThan(0);
  const known = new Set(report.evidence.map((each) => each.id));
  for (const quote of first.evidence) expect(known).toContain(quote.evidenceId);
  return first;
};

/** Holds that nothing is said to be wrong with a healthy process. */
export const expectHealthy = (report: Report): void => {
  recordExpected(report, 'healthy');
  const wrong = headlines(report).filter((finding) => finding.cause !== 'healthy');
  expect(wrong, JSON.stringify(wrong, null, 1)).toEqual([]);
};

/** Whether a program can be run here. */
export const canRun = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};
