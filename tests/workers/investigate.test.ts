import { randomUUID } from 'node:crypto';
import { appendFile, readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hostLookup } from '../../infra/hosts.ts';
import type { Impact, LookFailed, Progress } from '../../playbooks/model/index.ts';
import { type Investigation, investigate } from '../../workers/investigate.ts';
import { type Knowledge, loadKnowledge } from '../../workers/knowledge.ts';
import { keepFolderOf, type ShellOpener, shellOpener } from '../../workers/reach.ts';
import type { HostShell } from '../../workers/ssh/shell.ts';
import { PHASE_WORDS } from '../../workers/words.ts';
import { endPrograms, startStanding } from '../support/incident.ts';
import { endSshd, testSshd, testWire, type Wire } from '../support/sshd.ts';
import { expectUnhurt, processState } from '../support/unhurt.ts';
import { until } from '../support/until.ts';

let knowledge: Knowledge;
let wire: Wire;
let opener: ShellOpener;
let keepFolder: (host: string) => string;

beforeAll(async () => {
  knowledge = await loadKnowledge();
  const sshd = await testSshd();
  wire = await testWire(sshd.port);
  const known = await readFile(sshd.knownHostsFile, 'utf8');
  await appendFile(sshd.knownHostsFile, known.replaceAll(`:${sshd.port} `, `:${wire.port} `));
  const hosts = hostLookup([sshd.host('far', { port: wire.port })]);
  opener = shellOpener(hosts);
  keepFolder = keepFolderOf(hosts);
});
afterAll(async () => {
  await opener.close();
  await endSshd();
});
afterEach(endPrograms);

interface Asked {
  readonly pid: number;
  readonly playbook: string;
  readonly allow?: readonly Impact[];
  readonly earlier?: readonly string[];
  readonly requestedAt?: number;
  readonly progress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
  readonly openShell?: ShellOpener['openShell'];
}

const look = (asked: Asked): Promise<Investigation> =>
  investigate(
    {
      id: randomUUID(),
      host: 'far',
      pid: asked.pid,
      playbook: asked.playbook,
      windowSeconds: 2,
      allow: ['none', 'slows', ...(asked.allow ?? [])],
      origin: { kind: 'terminal' },
      requestedAt: asked.requestedAt ?? Date.now(),
    },
    {
      ...knowledge,
      openShell: asked.openShell ?? opener.openShell,
      keepFolder,
      progress: asked.progress ?? (() => {}),
      journal: { started: async () => {}, earlier: async () => asked.earlier ?? [] },
      signal: asked.signal ?? new AbortController().signal,
      now: Date.now,
    },
  );

const idle = () => startStanding('healthy/idle_server.py');

test('the last check does not wait for the lines of source', async () => {
  const { pid } = await idle();
  const asked: string[] = [];
  let checked = () => {};
  const lastCheck = new Promise<void>((resolve) => {
    checked = resolve;
  });
  const openShell = async (host: string): Promise<HostShell> => {
    const shell = await opener.openShell(host);
    return {
      root: shell.root,
      cancel: (id) => shell.cancel(id),
      close: () => shell.close(),
      run: async (step) => {
        asked.push(step.id);
        if (step.id === 'last-check') checked();
        // One after the other would never end.
        if (step.id === 'source-lines') await lastCheck;
        return shell.run(step);
      },
    };
  };
  await look({ pid, playbook: 'triage', openShell });
  expect(asked).toEqual(expect.arrayContaining(['source-lines', 'last-check']));
});

describe('a connection that is cut', () => {
  test.each([
    { phase: 1, playbook: 'triage', allow: [] },
    { phase: 2, playbook: 'triage', allow: [] },
    { phase: 3, playbook: 'strace', allow: [] },
    { phase: 4, playbook: 'py-bt', allow: ['stops'] },
    { phase: 5, playbook: 'gcore', allow: ['stops', 'writes-disk'] },
  ] as const)('in phase $phase is told in one sentence and leaves the process as it was', async (cut) => {
    const { pid } = await idle();
    const before = await processState(pid);
    let once = false;
    const failed = await look({
      pid,
      playbook: cut.playbook,
      allow: cut.allow,
      progress: ({ doing }) => {
        if (doing !== PHASE_WORDS[cut.phase] || once) return;
        once = true;
        // The steps are on their way to the host when the wire breaks.
        setTimeout(wire.cut, cut.phase === 1 ? 0 : 200);
      },
    }).catch((error: unknown) => error as LookFailed);
    expect(failed).toMatchObject({ code: 'connection-lost' });
    expect((failed as LookFailed).message).toMatch(/connection to far was lost .*Ask again/);
    await until('nobody traces the process', async () =>
      [...(await processState(pid)).threads.values()].every((each) => each.tracer === 0),
    );
    await expectUnhurt(pid, before);
    // The next look finds a new connection.
    await look({ pid, playbook: 'lsof' });
  });
});

describe('a look', () => {
  test('that an earlier worker had begun does not run a step with an impact again, and says so', async () => {
    const { pid } = await idle();
    const { report } = await look({ pid, playbook: 'strace', earlier: ['strace'] });
    // What reads a core that is there already may run: it costs the process nothing.
    expect(report.impact.steps.filter(({ impact }) => impact !== 'none')).toEqual([]);
    expect(report.caveats.join('\n')).toMatch(/interrupted after it had started strace/);
  });

  test('leaves out what it was not allowed, and says so', async () => {
    const { pid } = await idle();
    const { report } = await look({ pid, playbook: 'gcore' });
    // What reads a core that is there already may run: it costs the process nothing.
    expect(report.impact.steps.filter(({ impact }) => impact !== 'none')).toEqual([]);
    expect(report.caveats.join('\n')).toMatch(/not allowed to do \(stops,writes-disk\)/);
    expect(report.impact.longestStallMs).toBe(0);
  });

  test('that is cancelled ends what runs on the host', async () => {
    const { pid } = await idle();
    const before = await processState(pid);
    const controller = new AbortController();
    const { report } = await look({
      pid,
      playbook: 'strace',
      signal: controller.signal,
      progress: ({ doing }) => {
        if (doing === PHASE_WORDS[3]) setTimeout(() => controller.abort(), 200);
      },
    });
    expect(report.caveats.join('\n')).toMatch(/The look was cancelled after .*`strace` was ended before the time/);
    await expectUnhurt(pid, before);
  });

  test.each([
    ['a pid that is gone', 4_194_303, 'no-such-process', /There is no process 4194303 on far/],
    ['a kernel thread', 2, 'kernel-thread', /cannot look at process 2 on far/],
  ] as const)('at %s is refused in one sentence', async (_, pid, code, sentence) => {
    const failed = await look({ pid, playbook: 'triage' }).catch((error: unknown): LookFailed => error as LookFailed);
    expect(failed).toMatchObject({ code });
    expect((failed as LookFailed).message).toMatch(sentence);
  });

  test('at a pid that was given to another process since it was asked for is refused', async () => {
    const { pid } = await idle();
    const failed = await look({ pid, playbook: 'triage', requestedAt: Date.now() - 60_000 }).catch(
      (error: unknown): LookFailed => error as LookFailed,
    );
    expect(failed).toMatchObject({ code: 'process-replaced' });
    expect((failed as LookFailed).message).toMatch(/started after you asked/);
  });

  test('tells what it does about once a second, never going back', async () => {
    const { pid } = await idle();
    const told: Progress[] = [];
    await look({ pid, playbook: 'strace', progress: (progress) => told.push(progress) });
    const percents = told.map((each) => each.percent);
    expect(percents).toEqual([...percents].sort((a, b) => a - b));
    expect(told.filter((each) => each.probes.includes('strace')).length).toBeGreaterThan(1);
  });
});
