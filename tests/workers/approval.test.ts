import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hostLookup, localHost } from '../../infra/hosts.ts';
import type { Approval, LookFailed, Request } from '../../playbooks/model/index.ts';
import { Impact } from '../../playbooks/model/index.ts';
import { checkApproval, permitted } from '../../workers/approval.ts';
import { type Investigation, investigate, type Tools } from '../../workers/investigate.ts';
import { type Knowledge, loadKnowledge } from '../../workers/knowledge.ts';
import { keepFolderOf, type ShellOpener, shellOpener } from '../../workers/reach.ts';
import { endProcesses, startPython } from '../support/live-process.ts';
import { requestForTest } from '../support/queue.ts';
import { expectUnhurt, processState } from '../support/unhurt.ts';

let knowledge: Knowledge;
let opener: ShellOpener;
let keep: string;
let keepFolder: (host: string) => string;

beforeAll(async () => {
  knowledge = await loadKnowledge();
  keep = await mkdtemp(path.join(tmpdir(), 'straceback-keep-'));
  const hosts = hostLookup([localHost({ keepFolder: keep })]);
  opener = shellOpener(hosts);
  keepFolder = keepFolderOf(hosts);
});
afterAll(async () => {
  await opener.close();
  await rm(keep, { recursive: true, force: true });
});
afterEach(endProcesses);

const GCORE: readonly Impact[] = ['none', 'slows', 'stops', 'writes-disk'];

const waiting = () => startPython("import sys\nprint('ready')\nsys.stdin.read()\n");

const approvalFor = (pid: number, change: Partial<Approval> = {}): Approval => ({
  by: 'U0BOB0001',
  at: Date.now(),
  until: Date.now() + 600_000,
  impacts: [...GCORE],
  host: 'local',
  pid,
  ...change,
});

const look = (pid: number, approval: Approval | undefined, tools: Partial<Tools> = {}): Promise<Investigation> => {
  const asked: Request = {
    ...requestForTest({ host: 'local', pid, playbook: 'gcore', allow: [...GCORE], requestedAt: Date.now() }),
    id: randomUUID(),
    approval,
  };
  return investigate(asked, {
    ...knowledge,
    openShell: opener.openShell,
    keepFolder,
    progress: () => {},
    journal: { started: async () => {}, earlier: async () => [] },
    signal: new AbortController().signal,
    now: Date.now,
    ...tools,
  });
};

const failure = (work: Promise<unknown>): Promise<LookFailed> =>
  work.then(
    () => Promise.reject(new Error('the look was made')),
    (error: unknown) => error as LookFailed,
  );

describe('a look that needed an approval', () => {
  test('is refused when the approval is over, is for another process or for less, before anything runs', async () => {
    const { pid } = await waiting();
    const before = await processState(pid);
    const { startTime } = before;
    const other = String(Number(startTime) + 1);
    for (const [change, sentence] of [
      [{ until: Date.now() - 1 }, /was good until .* UTC, and it is later now/],
      [{ impacts: ['stops'] }, /would have the impact writes-disk, which the approval does not cover/],
      [{ pid: pid + 1 }, /approval is for process \d+ on local, not for/],
      [{ host: 'web-7' }, /on web-7, not for \d+ on local/],
      [{ startTime: other }, /its pid was reused/],
    ] as const) {
      const said = await failure(look(pid, approvalFor(pid, { ...change } as Partial<Approval>)));
      expect(said).toMatchObject({ code: 'not-approved' });
      expect(said.message).toMatch(sentence);
    }
    expect(await readdir(keep)).toEqual([]);
    await expectUnhurt(pid, before);
  });

  test('that runs out after the look has begun keeps its step from beginning', async () => {
    const { pid } = await waiting();
    const before = await processState(pid);
    const started: string[] = [];
    let now = Date.now();
    const approval = approvalFor(pid, { startTime: before.startTime });
    const said = await failure(
      look(pid, approval, {
        now: () => now,
        journal: {
          started: async (probe) => void started.push(probe),
          // Read before the shell is opened: the ten minutes pass while the host is reached.
          earlier: async () => {
            now = approval.until + 1;
            return [];
          },
        },
      }),
    );
    expect(said).toMatchObject({ code: 'not-approved' });
    expect(started).toEqual([]);
    expect(await readdir(keep)).toEqual([]);
    await expectUnhurt(pid, before);
  });
});

test('what a request may do is never more than was approved or is harmless', () => {
  const impacts = fc.uniqueArray(fc.constantFrom(...Impact.options));
  fc.assert(
    fc.property(impacts, impacts, fc.boolean(), (allow, approved, alert) => {
      const origin = requestForTest().origin;
      const request: Request = {
        ...requestForTest({ allow }),
        origin: alert && origin.kind === 'slack' ? { ...origin, via: 'alert' } : origin,
        approval: approvalFor(6325, { host: 'web-7', impacts: approved }),
      };
      const most = alert ? ['none', 'slows'] : ['none', 'slows', ...approved];
      try {
        checkApproval(request, Date.now());
        return permitted(request).every((impact) => most.includes(impact));
      } catch {
        return permitted(request).some((impact) => !most.includes(impact));
      }
    }),
  );
});
