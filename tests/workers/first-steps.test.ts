import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { hostLookup } from '../../infra/hosts.ts';
import { investigate } from '../../workers/investigate.ts';
import { type Knowledge, loadKnowledge } from '../../workers/knowledge.ts';
import { keepFolderOf, type ShellOpener, shellOpener } from '../../workers/reach.ts';
import { type FirstSteps, isSameStep, type RemoteStep } from '../../workers/ssh/remote-step.ts';
import type { HostShell } from '../../workers/ssh/shell.ts';
import { endPrograms, startStanding } from '../support/incident.ts';
import { endProcesses, startProcess } from '../support/live-process.ts';
import { startTimeOf } from '../support/run-probe.ts';
import { endSshd, testSshd } from '../support/sshd.ts';

let knowledge: Knowledge;
let opener: ShellOpener;
const hosts = async () => hostLookup([(await testSshd()).host('far')]);
let keepFolder: (host: string) => string;

beforeAll(async () => {
  knowledge = await loadKnowledge();
  const lookup = await hosts();
  opener = shellOpener(lookup);
  keepFolder = keepFolderOf(lookup);
});
afterAll(async () => {
  await opener.close();
  await endSshd();
});
afterEach(async () => {
  await endPrograms();
  await endProcesses();
});

/** A look with everything that it asked for, first and then. */
const look = async (pid: number, more: { readonly startTime?: string; readonly requestedAt?: number } = {}) => {
  const asked: RemoteStep[] = [];
  const first: FirstSteps[] = [];
  const openShell: ShellOpener['openShell'] = async (host, firstOf) => {
    const shell: HostShell = await opener.openShell(host, async (facts) => {
      if (firstOf === undefined) throw new Error('a look has first steps');
      const steps = await firstOf(facts);
      first.push(steps);
      return steps;
    });
    return {
      root: shell.root,
      run: (step) => {
        asked.push(step);
        return shell.run(step);
      },
      cancel: (id) => shell.cancel(id),
      close: () => shell.close(),
      leave: () => shell.leave?.(),
      remember: (facts) => shell.remember?.(facts),
    };
  };
  const request = {
    id: randomUUID(),
    host: 'far',
    pid,
    playbook: 'triage',
    windowSeconds: 1,
    allow: ['none' as const],
    origin: { kind: 'terminal' as const },
    requestedAt: more.requestedAt ?? Date.now(),
    ...(more.startTime === undefined ? {} : { startTime: more.startTime }),
  };
  const ended = investigate(request, {
    ...knowledge,
    openShell,
    keepFolder,
    progress: () => {},
    journal: { started: async () => {}, earlier: async () => [] },
    signal: new AbortController().signal,
    now: Date.now,
  });
  return { report: await ended.then(({ report }) => report), asked, first: first[0]?.steps ?? [] };
};

const passive = (id: string): boolean => {
  const probe = knowledge.probes.get(id);
  return probe !== undefined && probe.phase <= 2 && !probe.ptraces && probe.impacts.every((each) => each === 'none');
};

test('a second look at a host asks at once for all that it then asks for, and sees the same', async () => {
  const { pid } = await startStanding('healthy/idle_server.py');
  const startTime = startTimeOf(pid);
  const cold = await look(pid);
  expect(cold.first).toEqual([]);
  for (const chosen of [undefined, startTime]) {
    const warm = await look(pid, chosen === undefined ? {} : { startTime: chosen });
    const then = warm.asked.filter(({ id }) => passive(id) && id !== 'source-lines');
    expect(then.length).toBeGreaterThan(10);
    for (const step of then) {
      const before = warm.first.find(({ id }) => id === step.id);
      expect(before !== undefined && isSameStep(before, startTime, step), step.id).toBe(true);
    }
    const seen = ({ report }: typeof warm) =>
      report.evidence
        .map(({ probe }) => probe)
        .filter(passive)
        .sort();
    expect(seen(warm)).toEqual(seen(cold));
    expect(warm.report.evidence.filter(({ exit }) => exit === null)).toEqual([]);
    expect(warm.report.target).toMatchObject({ pid, startTime });
  }
});

test('what depends on the process is not asked for when it turns out to be another kind of program', async () => {
  const python = await startStanding('healthy/idle_server.py');
  await look(python.pid);
  const live = await startProcess('/bin/sh', ['-c', 'echo ready; read -r _']);
  await live.line(/^ready/);
  const warm = await look(live.pid);
  expect(warm.first.map(({ id }) => id)).toContain('py-stacks');
  expect(warm.asked.map(({ id }) => id)).not.toContain('py-stacks');
  expect(warm.report.evidence.map(({ probe }) => probe)).not.toContain('py-stacks');
});

test('a process that is younger than the question is told as that, with first steps as without', async () => {
  const { pid } = await startStanding('healthy/idle_server.py');
  await look(pid);
  await expect(look(pid, { requestedAt: Date.now() - 3_600_000 })).rejects.toMatchObject({ code: 'process-replaced' });
});
