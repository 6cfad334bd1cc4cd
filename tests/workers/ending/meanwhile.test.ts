import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, afterEach, expect, test } from 'vitest';
import { hostLookup } from '../../../infra/hosts.ts';
import { LookFailed } from '../../../playbooks/model/index.ts';
import { investigate } from '../../../workers/investigate.ts';
import { loadKnowledge } from '../../../workers/knowledge.ts';
import { keepFolderOf, shellOpener } from '../../../workers/reach.ts';
import { endProcesses, type LiveProcess, startPython } from '../../support/live-process.ts';

afterEach(endProcesses);
const hosts = hostLookup([]);
const opener = shellOpener(hosts);
afterAll(() => opener.close());
const knowledge = await loadKnowledge();

const SHOP = 'print("ready", flush=True)\ninput()';

const look = (pid: number, change: { startTime?: string; onProgress?: () => void } = {}) =>
  investigate(
    {
      id: randomUUID(),
      host: 'local',
      pid,
      ...(change.startTime === undefined ? {} : { startTime: change.startTime }),
      playbook: 'glance',
      windowSeconds: 2,
      allow: ['none'],
      origin: { kind: 'terminal' },
      requestedAt: Date.now(),
    },
    {
      ...knowledge,
      openShell: opener.openShell,
      keepFolder: keepFolderOf(hosts),
      progress: ({ probes }) => {
        if (probes.includes('sample')) change.onProgress?.();
      },
      journal: { started: async () => {}, earlier: async () => [] },
      signal: new AbortController().signal,
      now: Date.now,
    },
  );

const failed = async (looking: Promise<unknown>): Promise<LookFailed> => {
  const error = await looking.catch((reason: unknown) => reason);
  if (error instanceof LookFailed) return error;
  throw new Error('it did not fail');
};

test('a process that ends while it is looked at: the report says so, and what runs in its place', async () => {
  const first = await startPython(SHOP, ['--till', 'east']);
  const again: Promise<LiveProcess>[] = [];
  const { report } = await look(first.pid, {
    onProgress: () => {
      if (again.length > 0) return;
      first.child.kill('SIGKILL');
      again.push(once(first.child, 'exit').then(() => startPython(SHOP, ['--till', 'east'])));
    },
  });
  const second = await again[0];
  const caveats = report.caveats.join('\n');
  expect(caveats).toContain('The process ended, or its pid was reused, while it was being looked at.');
  expect(caveats).toContain(`In its place runs process ${second?.pid}, with the same command line or port`);
});

test('a process that was chosen is looked at only under its own start time', async () => {
  const live = await startPython(SHOP, ['--till', 'west']);
  const failure = await failed(look(live.pid, { startTime: '1' }));
  expect(failure.code).toBe('process-replaced');
  expect(failure.message).toContain(`Process ${live.pid} on local is not the one that`);
});

test('of a pid that never was the look says that there is none', async () => {
  const failure = await failed(look(4_194_303));
  expect([failure.code, failure.instead]).toEqual(['no-such-process', undefined]);
  expect(failure.message).toContain('There is no process 4194303 on local');
});
